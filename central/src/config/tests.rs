//! Files that are taken, and files that are answered with place and remedy.

use super::*;

const GOOD: &str = r#"
        seeds = "seeds"
        [http]
        listen = "127.0.0.1:8080"
        [broker.inside]
        listen = "127.0.0.1:1883"
        [store]
        sqlite = "var/vong.sqlite"
        [evidence]
        folder = "var/evidence"
    "#;

fn check(change: impl Fn(&str) -> String, expected: &str) {
    let changed = change(GOOD);
    assert_ne!(changed, GOOD, "the change for {expected:?} changes nothing");
    let error = Config::parse(&changed, Path::new("central.toml"))
        .unwrap_err()
        .to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    assert!(
        error.contains("central.toml") && !error.contains('\n'),
        "{error:?} is not one line that names the file"
    );
}

#[test]
fn a_good_file_is_taken() {
    let config = Config::parse(GOOD, Path::new("central.toml")).unwrap();
    assert_eq!((config.evidence.keep_days, config.alarm.time_limit_s), (30, 300));
    assert!(matches!(config.broker.chosen(), Broker::Inside(inside) if inside.listen.port() == 1883));
}

#[test]
fn bad_files_are_answered_with_place_and_remedy() {
    let to = |from: &'static str, to: &'static str| move |good: &str| good.replace(from, to);
    check(to("[http]", "[htp]"), "unknown field `htp`");
    check(to("listen = \"127.0.0.1:8080\"", "listen = \"here\""), "line 4");
    check(to("[store]", "[stores]"), "unknown field `stores`");
    check(to("sqlite = \"var/vong.sqlite\"", ""), "exactly one of sqlite");
    check(
        to("[evidence]", "postgres = \"postgres://h/d\"\n[evidence]"),
        "exactly one of sqlite",
    );
    check(
        to("sqlite = \"var/vong.sqlite\"", "postgres = \"h/d\""),
        "is no address",
    );
    check(to("\"var/vong.sqlite\"", "\"\""), "path of the database file");
    check(to("\"var/evidence\"", "\"\""), "folder for the pictures");
    check(to("[evidence]", "[evidence]\nkeep_days = 0"), "must be 1 to 3650");
    check(
        to("[store]", "[alarm]\ntime_limit_s = 0\n[store]"),
        "must be 1 to 86400",
    );
    check(to("[store]", "[broker.outside]\nhost = \"b\"\n[store]"), "not both");
    check(to("[store]", "[store"), "line 7");
    let outside = "[broker.outside]\nhost = \"b\"\nuser = \"u\"\n[unused]";
    check(
        move |good| {
            good.replace("[broker.inside]\n        listen = \"127.0.0.1:1883\"", outside)
                .replace("[unused]", "")
        },
        "both user and password_file",
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("nowhere/central.toml")).unwrap_err().to_string();
    assert!(
        error.contains("nowhere/central.toml") && error.contains("--config"),
        "{error}"
    );
}

#[test]
fn an_address_may_lie_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("central.toml");
    std::fs::write(
        &path,
        GOOD.replace("sqlite = \"var/vong.sqlite\"", "postgres_file = \"url\""),
    )
    .unwrap();
    let address = || Config::load(&path).unwrap().store.address();
    let error = address().unwrap_err().to_string();
    assert!(
        error.contains("url") && error.contains("[store] postgres_file"),
        "{error}"
    );
    std::fs::write(folder.path().join("url"), "postgres://u:p@h/d\n").unwrap();
    assert_eq!(address().unwrap(), StoreAddress::Postgres("postgres://u:p@h/d".into()));
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("central.toml");
    std::fs::write(&path, GOOD).unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(
        config.store.address().unwrap(),
        StoreAddress::Sqlite(folder.path().join("var/vong.sqlite"))
    );
    assert_eq!(config.seeds, Some(folder.path().join("seeds")));
}
