//! The outbox and the power: a process that is killed at random moments while it appends, a log whose end is torn, and a
//! disk that takes no more. What was promised before must be there after.

use super::tests::{alert, count, crossing};
use super::*;
use rand::Rng;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const KILLS: usize = 25;
const FOLDER: &str = "VONG_TEST_OUTBOX";
const CHILD: &str = "outbox::crash_tests::appends_until_it_is_killed";

/// The child of the test below: appends for ever and tells what is on the disk.
#[tokio::test]
#[ignore = "runs for ever; the tests beside it start it"]
async fn appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let outbox = Outbox::open(Path::new(&folder), DEFAULT_LIMIT_BYTES).await.unwrap();
    loop {
        let drafts = vec![alert(), crossing(Direction::In), count()];
        let Draft::Alert(Alert { id, .. }) = &drafts[0] else {
            unreachable!("an alert was made")
        };
        let id = *id;
        match outbox.append(drafts).await {
            Ok(()) => println!("kept {id}"),
            Err(cause) => println!("refused {cause}"),
        }
        // Some are acknowledged, so that pages are freed and filled again.
        if let [first, ..] = outbox.due(&HashSet::new(), 1).await.unwrap().as_slice()
            && first.seq.is_multiple_of(7)
            && let Draft::Alert(Alert { id, .. }) = first.draft
        {
            println!("going {id}");
            let item = AckItem {
                seq: first.seq,
                id: Some(id),
            };
            outbox.acknowledge(&[item]).await.unwrap();
        }
    }
}

fn child(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", CHILD, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// What the child says: `kept`, `going` or `refused`, with an id or a cause.
fn word<'a>(line: &'a str, what: &str) -> Option<&'a str> {
    line.split_once(what).map(|(_, rest)| rest.trim())
}

#[tokio::test]
async fn what_was_promised_survives_kills_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kept, mut going) = (HashSet::new(), HashSet::new());
    let mut random = rand::rng();
    for _ in 0..KILLS {
        let mut child = child(folder.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut left, mut killed) = (random.next_u32() % 40 + 1, false);
        // Reads on after the kill: what the pipe holds was promised before it.
        for line in lines.map_while(Result::ok) {
            if let Some(id) = word(&line, "kept ") {
                kept.insert(id.to_string());
            }
            if let Some(id) = word(&line, "going ") {
                going.insert(id.to_string());
            }
            left = left.saturating_sub(1);
            if left == 0 && !killed {
                let spin = random.next_u32() % 3_000;
                (0..spin).for_each(|_| std::hint::spin_loop());
                child.kill().unwrap();
                killed = true;
            }
        }
        child.wait().unwrap();
        assert!(killed, "the child ended by itself");
        let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
        let found = outbox.due(&HashSet::new(), 1_000_000).await.unwrap();
        let alerts: HashSet<String> = found
            .iter()
            .filter_map(|pending| match &pending.draft {
                Draft::Alert(alert) => Some(alert.id.to_string()),
                _ => None,
            })
            .collect();
        let lost: Vec<_> = kept
            .iter()
            .filter(|id| !alerts.contains(*id) && !going.contains(*id))
            .collect();
        assert!(
            lost.is_empty(),
            "{} of {} promised alerts are lost",
            lost.len(),
            kept.len()
        );
        let crossings = found.iter().filter(|pending| matches!(pending.draft, Draft::Event(_)));
        let totals = outbox
            .totals(&super::tests::camera(), &super::tests::line(), 5)
            .await
            .unwrap();
        assert_eq!(
            totals.entered,
            crossings.count() as u64,
            "totals and crossings moved apart"
        );
        let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&outbox.pool)
            .await
            .unwrap();
        assert_eq!(sound, "ok");
        outbox.close().await;
    }
    assert!(kept.len() > KILLS, "only {} alerts were promised", kept.len());
    println!("{KILLS} kills, {} promised, 0 lost", kept.len());
}

#[tokio::test]
async fn a_torn_end_of_the_log_costs_only_what_was_not_promised() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
    let wal = folder.path().join("outbox.sqlite-wal");
    let mut ends = Vec::new();
    for _ in 0..30 {
        outbox.append(vec![alert(), crossing(Direction::In)]).await.unwrap();
        ends.push(std::fs::metadata(&wal).unwrap().len());
    }
    let (log, file) = (
        std::fs::read(&wal).unwrap(),
        std::fs::read(folder.path().join("outbox.sqlite")).unwrap(),
    );
    let mut random = rand::rng();
    for round in 0..40 {
        let torn = tempfile::tempdir().unwrap();
        // The log grew with every commit, so its length says which of them lie before the tear.
        let at = ends[5] as usize + random.next_u64() as usize % (log.len() - ends[5] as usize);
        let mut bytes = log.clone();
        match round % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 0x10,
            _ => bytes[at..].iter_mut().for_each(|byte| *byte ^= 0x5a),
        }
        std::fs::write(torn.path().join("outbox.sqlite"), &file).unwrap();
        std::fs::write(torn.path().join("outbox.sqlite-wal"), bytes).unwrap();
        let outbox = Outbox::open(torn.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
        let whole = ends.iter().filter(|end| **end as usize <= at).count() as u64;
        let alerts = outbox.due(&HashSet::new(), 1_000).await.unwrap();
        let alerts = alerts.iter().filter(|pending| matches!(pending.draft, Draft::Alert(_)));
        assert_eq!(
            alerts.count() as u64,
            whole,
            "round {round}, torn at {at} of {}",
            log.len()
        );
        outbox.append(vec![alert()]).await.unwrap();
        outbox.close().await;
    }
}

#[tokio::test]
async fn a_full_outbox_keeps_its_file_small_and_gives_up_pictures_before_alerts() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 4 << 20;
    let outbox = Outbox::open(folder.path(), limit).await.unwrap();
    let picture = || Draft::Evidence {
        alert: EventId::generate(),
        jpeg: vec![3; 100_000],
    };
    for _ in 0..200 {
        outbox
            .append(vec![alert(), picture(), crossing(Direction::Out)])
            .await
            .unwrap();
    }
    let health = outbox.health().await.unwrap();
    assert!(health.bytes <= limit && health.evidence_dropped > 150, "{health:?}");
    assert_eq!(
        (
            health.alerts_dropped,
            health.crossings_folded,
            outbox.depth().await.unwrap()
        ),
        (0, 0, 600 - health.evidence_dropped)
    );
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
    let on_disk = size("outbox.sqlite") + size("outbox.sqlite-wal");
    assert!(
        on_disk < limit * 3 / 2 + (8 << 20),
        "{on_disk} bytes on the disk for {limit}"
    );
}
