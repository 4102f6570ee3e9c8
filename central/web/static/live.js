// The live feed. Read by fetch, not by EventSource, for two reasons: the feed's keep-alive comments are seen, so that a
// cable that was pulled is noticed although nothing closes the connection, and any answer but 200 is tried again.
// Invariant: there is at most one connection, and after each opening the caller is told before the first message.

/** The service sends a comment every 15 s: two missing and a bit means that the connection is dead. */
const SILENCE_MS = 35_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;

/** Follows the feed for as long as the page is open. */
export function follow(url, { opened, message, lost }) {
  let wake = () => {};
  addEventListener("online", () => wake());
  document.addEventListener("visibilitychange", () => document.hidden || wake());

  const pause = (ms) =>
    new Promise((done) => {
      const timer = setTimeout(done, ms);
      wake = () => {
        clearTimeout(timer);
        done();
      };
    });

  (async () => {
    for (let tries = 0; ; tries += 1) {
      try {
        await readOnce(url, message, () => {
          tries = 0;
          opened();
        });
      } catch {
        // Whatever it was, it is told as a lost connection and tried again.
      }
      lost();
      const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries, 10));
      await pause(longest * (0.5 + Math.random() / 2));
    }
  })();
}

async function readOnce(url, message, opened) {
  const stop = new AbortController();
  let silence = 0;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(), SILENCE_MS);
  };
  try {
    alive();
    const headers = { accept: "text/event-stream" };
    const answer = await fetch(url, { headers, cache: "no-store", signal: stop.signal });
    const kind = answer.headers.get("content-type") ?? "";
    if (!answer.ok || !kind.startsWith("text/event-stream")) throw new Error(`the feed answers ${answer.status}`);
    opened();
    const parse = parser(message);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      parse(value);
    }
  } finally {
    clearTimeout(silence);
    stop.abort();
  }
}

/** Takes pieces of the feed and gives whole messages (WHATWG HTML, 9.2.6). One that is no JSON is left out. */
export function parser(message) {
  let rest = "";
  let name = "";
  let data = [];
  return (piece) => {
    const lines = (rest + piece).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) deliver(message, name || "message", data.join("\n"));
        name = "";
        data = [];
      } else if (line.startsWith("event:")) name = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  };
}

function deliver(message, name, text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    return;
  }
  message(name, data);
}
