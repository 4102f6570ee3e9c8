//! The outbox and a disk that takes no more: full, at its limit, or read-only, by the system's own refusals. What is refused
//! is said and not there; what was promised is there; as soon as there is room the same outbox goes on.

use super::tests::alert;
use super::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::Command;

const CHILD: &str = "outbox::disk_tests::lives_on_a_disk_that_refuses";
const FOLDER: &str = "VONG_TEST_DISK";
/// The folder is a disk of its own: two mebibytes, in a namespace of the child.
const OWN_DISK: &str = "VONG_TEST_OWN_DISK";

/// Appends alerts until one is refused; the ids of those that were taken, and of the one that was not.
async fn until_refused(outbox: &Outbox) -> (Vec<EventId>, EventId) {
    let mut taken = Vec::new();
    for _ in 0..100_000 {
        let draft = alert();
        let Draft::Alert(Alert { id, .. }) = &draft else {
            unreachable!("an alert was made")
        };
        let id = *id;
        match outbox.append(vec![draft]).await {
            Ok(()) => taken.push(id),
            Err(cause) => {
                assert!(cause.to_string().contains("disk"), "{cause}");
                return (taken, id);
            }
        }
    }
    panic!("the disk never refused")
}

async fn held(outbox: &Outbox) -> HashSet<EventId> {
    let found = outbox.due(&HashSet::new(), 1_000_000).await.unwrap();
    let alerts = found.into_iter().filter_map(|pending| match pending.draft {
        Draft::Alert(alert) => Some(alert.id),
        _ => None,
    });
    alerts.collect()
}

/// The disk refuses, and takes again; nothing promised is lost meanwhile, and acknowledgements go on afterwards.
async fn refuses_and_takes_again(outbox: &Outbox, refuse: impl Fn(), take: impl Fn()) {
    let before = held(outbox).await;
    refuse();
    let (taken, refused) = until_refused(outbox).await;
    let (more, again) = until_refused(outbox).await;
    take();
    outbox.append(vec![alert()]).await.expect("there is room again");
    let after = held(outbox).await;
    assert!(
        before.iter().chain(&taken).chain(&more).all(|id| after.contains(id)),
        "a promise is broken"
    );
    assert!(!after.contains(&refused) && !after.contains(&again), "it was refused");
    let first = outbox.due(&HashSet::new(), 1).await.unwrap().remove(0);
    let Draft::Alert(Alert { id, .. }) = first.draft else {
        panic!("only alerts are there")
    };
    let item = AckItem {
        seq: first.seq,
        id: Some(id),
    };
    outbox
        .acknowledge(&[item])
        .await
        .expect("what is acknowledged can be forgotten");
    assert_eq!(held(outbox).await.len(), after.len() - 1);
}

fn mount(how: &str, folder: &Path) {
    let status = Command::new("mount").args(["-o", how]).arg(folder).status();
    assert!(status.unwrap().success(), "{how}");
}

#[tokio::test]
#[ignore = "needs a process of its own; the test below starts it"]
async fn lives_on_a_disk_that_refuses() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let outbox = Outbox::open(&folder.join("data"), DEFAULT_LIMIT_BYTES).await.unwrap();
    outbox.append(vec![alert()]).await.unwrap();
    let whole = getrlimit(Resource::Fsize);
    let limit = |current| {
        let maximum = whole.maximum;
        setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    refuses_and_takes_again(&outbox, || limit(Some(64 << 10)), || limit(whole.current)).await;
    if std::env::var_os(OWN_DISK).is_some() {
        let ballast = folder.join("ballast");
        std::fs::write(&ballast, vec![1; 700_000]).unwrap();
        refuses_and_takes_again(&outbox, || (), || std::fs::remove_file(&ballast).unwrap()).await;
    }
    let promised = held(&outbox).await;
    outbox.close().await;
    if std::env::var_os(OWN_DISK).is_some() {
        mount("remount,ro", &folder);
        let refused = Outbox::open(&folder.join("data"), DEFAULT_LIMIT_BYTES)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("writable"), "{refused}");
        mount("remount,rw", &folder);
        println!("full and read-only too");
    }
    let outbox = Outbox::open(&folder.join("data"), DEFAULT_LIMIT_BYTES).await.unwrap();
    assert_eq!(held(&outbox).await, promised);
    println!("outlived");
}

#[test]
fn a_disk_that_refuses_is_outlived() {
    let may_mount = Command::new("unshare").args(["-m", "true"]).status();
    let may_mount = may_mount.is_ok_and(|status| status.success());
    let folder = tempfile::tempdir().unwrap();
    // A write beyond the limit is to fail, not to end the process.
    let mut script = "trap '' XFSZ; ".to_string();
    if may_mount {
        script += &format!("mount -t tmpfs -o size=2m none \"${FOLDER}\" && export {OWN_DISK}=1; ");
    } else {
        println!("skipped in part: a disk of its own needs the right to mount");
    }
    let mut command = match may_mount {
        true => Command::new("unshare"),
        false => Command::new("env"),
    };
    if may_mount {
        command.arg("-m");
    }
    let output = command
        .args(["sh", "-c", &(script + "exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", CHILD, "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("outlived"), "{text}{said}");
    println!("{text}");
}
