//! The whole showing of the demo, on free ports: what was seen must agree with what is true.

use super::here;
use vong_sample_video::truth::Truth;
use vong_tests::outcome::table;
use vong_tests::show::{compare, play_once};

#[tokio::test]
async fn the_demo_sees_what_is_true() {
    let _turn = here::stage().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(house) = here::house(folder.path()) else {
        return;
    };
    let truth = Truth::load(&house.root.join("sample-video/truth")).expect("the truth can be read");
    let (central_toml, edge_toml) = house.write_configurations(true).expect("configurations can be written");
    let central = house.start_central(&central_toml).await.expect("central starts");
    let told = play_once(&house, &edge_toml, &indicatif::ProgressBar::hidden()).await;
    central.stop().await.expect("central stops when told to");
    let rows = compare(&truth, &told.expect("the clips are played to their end"));
    println!("{}", table(&rows));
    assert!(
        rows.iter().all(|row| row.good),
        "not everything was seen:\n{}",
        table(&rows)
    );
}
