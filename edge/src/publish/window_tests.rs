//! The window of unacknowledged messages: what waits for central never holds an alert up.

use super::link::{Link, LinkEvent};
use super::tests::{Device, alert, crossing, listener};
use super::*;
use vong_servers::{Mosquitto, or_skip};

/// The channel of the next message that somebody hears who acknowledges nothing.
async fn next(link: &mut Link) -> Channel {
    let heard = async {
        loop {
            match link.next().await {
                LinkEvent::Message { topic, .. } => match Topic::parse(&topic).unwrap().channel {
                    // The device says that it is there.
                    Channel::State => {}
                    channel => return channel,
                },
                LinkEvent::Connected => {}
                LinkEvent::Lost(cause) => panic!("{cause}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(15), heard)
        .await
        .expect("something comes")
}

#[tokio::test]
async fn what_was_sent_before_an_office_listened_is_sent_again_at_once() {
    let Some(broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let mut office = listener(broker.port()).await;
    let device = Device::start_bounded(broker.port(), crate::outbox::DEFAULT_LIMIT_BYTES).await;
    device.outbox.append(vec![alert().1, crossing()]).await.unwrap();
    for round in 0..3 {
        assert_eq!(next(&mut office).await, Channel::Alert, "round {round}");
        assert_eq!(next(&mut office).await, Channel::Event, "round {round}");
        // Nothing is acknowledged; the office only says that it is there.
        let (topic, nothing) = (device.topic(Channel::Ack), br#"{"items":[]}"#.to_vec());
        office.publish(&topic, Delivery::Sure, nothing, None).unwrap();
    }
    device.end().await;
}

#[tokio::test]
async fn an_alert_goes_beside_a_window_that_is_full() {
    let Some(broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let mut office = listener(broker.port()).await;
    let device = Device::start_bounded(broker.port(), crate::outbox::DEFAULT_LIMIT_BYTES).await;
    let many = (0..3 * WINDOW).map(|_| crossing()).collect();
    device.outbox.append(many).await.unwrap();
    for _ in 0..WINDOW {
        assert_eq!(next(&mut office).await, Channel::Event);
    }
    // Nobody acknowledges anything: no more events come, but alerts do.
    device.outbox.append(vec![alert().1]).await.unwrap();
    assert_eq!(next(&mut office).await, Channel::Alert);
    device.end().await;
}
