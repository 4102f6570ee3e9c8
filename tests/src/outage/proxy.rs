//! A bad link: a TCP proxy that cuts connections in the middle of a packet, swaps messages, and sends old ones again. It
//! understands no more of MQTT 5 than where packets begin and which are messages.

use super::dice::Dice;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Messages that are remembered for sending them again.
const REMEMBERED: usize = 200;
const PUBLISH_SURELY: u8 = 0x32;

/// What a link did to the messages on it.
#[derive(Debug, Default)]
struct Shared {
    /// Bytes until the cut; negative: no cut is due.
    cut_in: AtomicI64,
    cuts: AtomicU64,
    swapped: AtomicU64,
    ended: AtomicBool,
    remembered: Mutex<VecDeque<Vec<u8>>>,
    dice: Mutex<Option<Dice>>,
}

/// A link to a port of this machine; it ends with this value.
#[derive(Debug)]
pub struct BadLink {
    shared: Arc<Shared>,
    port: u16,
    upstream: u16,
}

impl BadLink {
    /// Listens on a free port and leads to `upstream`; with `dice` it swaps messages.
    pub fn start(upstream: u16, dice: Option<Dice>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            cut_in: AtomicI64::new(-1),
            dice: Mutex::new(dice),
            ..Shared::default()
        });
        let of_listener = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_listener.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else {
                    continue;
                };
                join(client, server, &of_listener);
            }
        });
        Ok(Self { shared, port, upstream })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the connection that carries the byte `bytes` from now.
    pub fn cut_in(&self, bytes: u32) {
        self.shared.cut_in.store(bytes.into(), Ordering::SeqCst);
    }

    /// Connections that were cut.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Messages of QoS 1 that came lately, at most 200: enough to see that something was sent.
    pub fn lately(&self) -> usize {
        lock(&self.shared.remembered).len()
    }

    /// Messages that came after a later one.
    pub fn swapped(&self) -> u64 {
        self.shared.swapped.load(Ordering::SeqCst)
    }

    /// Sends remembered messages again, in disorder, past the link; how many.
    pub fn replay(&self, dice: &mut Dice, most: usize) -> u64 {
        let mut packets: Vec<Vec<u8>> = lock(&self.shared.remembered).iter().cloned().collect();
        for last in (1..packets.len()).rev() {
            packets.swap(last, dice.below(last as u64 + 1) as usize);
        }
        packets.truncate(most);
        send_again(self.upstream, &packets).unwrap_or(0)
    }
}

impl Drop for BadLink {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let (up, down) = (shared.clone(), shared.clone());
    std::thread::spawn(move || messages(client, server, &up));
    std::thread::spawn(move || bytes(server_too, client_too, &down));
}

/// Broker to client: bytes as they come.
fn bytes(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..count], &mut to, shared) {
            break;
        }
    }
    end(&from, &to);
}

/// Client to broker: whole packets, some of them swapped.
fn messages(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut held: Option<Vec<u8>> = None;
    while let Ok(packet) = read_packet(&mut from) {
        let message = packet[0] & 0xf7 == PUBLISH_SURELY;
        if message {
            let mut remembered = lock(&shared.remembered);
            remembered.push_back(packet.clone());
            if remembered.len() > REMEMBERED {
                remembered.pop_front();
            }
        }
        let hold = message && held.is_none() && lock(&shared.dice).as_mut().is_some_and(|dice| dice.below(8) == 0);
        if hold {
            held = Some(packet);
            continue;
        }
        let mut out = packet;
        if let Some(earlier) = held.take() {
            // A message waits for the next packet; only after another message was it overtaken.
            if message {
                shared.swapped.fetch_add(1, Ordering::SeqCst);
                out.extend(earlier);
            } else {
                out = [earlier, out].concat();
            }
        }
        if !pass(&out, &mut to, shared) {
            break;
        }
    }
    end(&from, &to);
}

/// Hands bytes on, up to the cut where one is due; says whether the link still stands.
fn pass(bytes: &[u8], to: &mut TcpStream, shared: &Shared) -> bool {
    let left = shared.cut_in.load(Ordering::SeqCst);
    if left >= 0 {
        let whole = bytes.len() as i64 <= left;
        let next = if whole { left - bytes.len() as i64 } else { -1 };
        shared.cut_in.store(next, Ordering::SeqCst);
        if !whole {
            let _ = to.write_all(&bytes[..left as usize]);
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            return false;
        }
    }
    to.write_all(bytes).is_ok()
}

fn end(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

fn read_packet(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0];
    from.read_exact(&mut packet)?;
    let mut length = 0_usize;
    for place in 0..4 {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        packet.push(byte[0]);
        length |= usize::from(byte[0] & 0x7f) << (7 * place);
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let begin = packet.len();
    packet.resize(begin + length, 0);
    from.read_exact(&mut packet[begin..])?;
    Ok(packet)
}

/// Publishes packets again as another client, each with a number of its own.
fn send_again(port: u16, packets: &[Vec<u8>]) -> std::io::Result<u64> {
    let mut broker = TcpStream::connect(("127.0.0.1", port))?;
    broker.set_read_timeout(Some(Duration::from_secs(2)))?;
    let id = b"vong-replayer";
    let mut connect = b"\x10\x00\x00\x04MQTT\x05\x02\x00\x3c\x00\x00".to_vec();
    connect.push(id.len() as u8);
    connect.extend(id);
    connect[1] = connect.len() as u8 - 2;
    broker.write_all(&connect)?;
    read_packet(&mut broker)?;
    let mut sent = 0;
    for (number, packet) in packets.iter().enumerate() {
        let body = 1 + packet[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        let topic = usize::from(packet[body]) << 8 | usize::from(packet[body + 1]);
        let mut again = packet.clone();
        again[0] = PUBLISH_SURELY;
        again[body + 2 + topic..body + 4 + topic].copy_from_slice(&(number as u16 + 1).to_be_bytes());
        broker.write_all(&again)?;
        // The broker's acknowledgement: one at a time, so that no window is exceeded.
        read_packet(&mut broker)?;
        sent += 1;
    }
    broker.write_all(b"\xe0\x00")?;
    Ok(sent)
}
