// The page's words in both languages, and how numbers and times are written. Vietnamese is the first language; the choice
// is kept in this browser. Times are the office's local time, whatever the clock or zone of the computer in front of it.

export const WORDS = {
  vi: {
    place: "Trung tâm điều hành (IOC)",
    language: "Ngôn ngữ",
    gates: "Lượt qua cổng hôm nay",
    alerts: "Cảnh báo",
    cameras: "Camera",
    devices: "Thiết bị",
    loading: "Đang tải dữ liệu…",
    failed: "Không tải được dữ liệu. Trang đang tự thử lại.",
    outdated: "Không tải lại được: số liệu dưới đây có thể đã cũ.",
    broken: "Không hiển thị được dữ liệu này. Hãy báo quản trị viên.",
    retry: "Thử lại",
    noGates: "Chưa khai báo cổng nào.",
    noAlerts: "Chưa có cảnh báo nào.",
    noCameras: "Chưa có camera nào.",
    noDevices: "Chưa có thiết bị nào.",
    linkLive: "Trực tiếp",
    linkConnecting: "Đang kết nối",
    linkLost: "Mất kết nối",
    linkFailed: "Lỗi dữ liệu",
    lostSince: (time) => `Mất kết nối với trung tâm từ ${time}.`,
    lostWhat: "Màn hình không còn được cập nhật. Trang đang tự kết nối lại.",
    soundOn: "Âm thanh: bật",
    soundOff: "Âm thanh: tắt",
    soundBlocked: "Âm thanh: bấm để bật lại",
    in: "Vào",
    out: "Ra",
    doubtWhat: "Sai số ước tính: 19 trên 20 lần số thật nằm trong khoảng này",
    coverage: "Độ phủ",
    coverageWhat: "thời gian camera có hình",
    coverageNone: "Chưa có số liệu đếm",
    coverageFirst: "Độ phủ: chưa đủ một phút",
    coverageLow: "Số đếm có thể thiếu",
    newAlarms: (count) => (count === 1 ? "Báo động mới" : `${count} báo động mới`),
    isNew: "Mới",
    look: "Xem",
    seen: "Đã thấy",
    seenWhat: "Chỉ tắt nhắc trên màn hình này",
    older: "Xem cảnh báo cũ hơn",
    olderFailed: "Không tải được; bấm để thử lại",
    shown: (count) => `${count} cảnh báo`,
    alarm: "Báo động",
    notice: "Thông báo",
    exercise: "Diễn tập",
    late: "Đến trễ",
    lateWhat: "Thiết bị gửi muộn, không còn là báo động",
    atCamera: "Tại camera",
    ofList: "Trong danh sách",
    noEvidence: "Chưa có ảnh",
    gonePicture: "Không còn ảnh",
    noPhoto: "Danh sách không có ảnh",
    similarity: "Độ giống",
    threshold: "ngưỡng",
    plateRead: "Biển số đọc được",
    exact: "Khớp hoàn toàn",
    near: "Gần khớp: hãy nhìn lại ảnh",
    close: "Đóng",
    fieldList: "Danh sách",
    fieldKind: "Loại",
    fieldCamera: "Camera",
    fieldSite: "Địa điểm",
    fieldTaken: "Lúc chụp",
    fieldReceived: "Trung tâm nhận",
    fieldMatch: "Đối chiếu",
    fieldId: "Mã cảnh báo",
    detailAdvice: "Hệ thống chỉ gợi ý. Hãy so hai ảnh trước khi hành động.",
    enlarge: (name) => `Phóng to ${name}`,
    pictureOf: (name, time, boxes) => `Ảnh ${name} lúc ${time}, ${boxes} đối tượng`,
    noPicture: "Chưa có ảnh",
    stale: "Ảnh cũ",
    hit: "Có trong danh sách",
    starting: "Đang mở",
    live: "Có hình",
    degraded: "Lỗi hình",
    shedding: (count) => `Máy quá tải: camera này tạm bớt ${count} hình. Vẫn đếm, nhưng kém chắc chắn hơn.`,
    ended: "Đã phát hết",
    unknown: "Không rõ",
    liveCameras: (live, all) => `${live}/${all} có hình`,
    online: "Hoạt động",
    offline: "Mất liên lạc",
    stopped: "Đã dừng",
    never: "Chưa từng kết nối",
    since: (time, duration) => `từ ${time} (${duration})`,
    onlineDevices: (online, all) => `${online}/${all} hoạt động`,
    notEntered: "Chưa khai báo",
    clockUnsure: "Đồng hồ chưa đúng giờ",
    restarts: (n) => `${n} lần khởi động lại khâu bị treo`,
    waiting: (count) => `${count} tin chờ gửi`,
    camerasOf: (count) => `${count} camera`,
    quarantineShow: (count) => `${count} tin không đọc được`,
    quarantineTitle: "Tin không đọc được",
    quarantineWhat: "Được giữ lại nguyên vẹn, không tính vào số liệu. Hãy báo quản trị viên nếu có tin mới.",
    quarantineNone: "Không còn tin nào.",
    failedOnce: "Không tải được dữ liệu.",
    bytes: (count) => `${count} byte`,
    now: "vừa xong",
    ago: (duration) => `${duration} trước`,
    seconds: (n) => `${n} giây`,
    minutes: (n) => `${n} phút`,
    hours: (n) => `${n} giờ`,
    days: (n) => `${n} ngày`,
  },
  en: {
    place: "Operations centre (IOC)",
    language: "Language",
    gates: "Through the gates today",
    alerts: "Alerts",
    cameras: "Cameras",
    devices: "Devices",
    loading: "Loading…",
    failed: "The data could not be loaded. The page keeps trying.",
    outdated: "Not reloaded: what is shown may be out of date.",
    broken: "This cannot be shown. Tell your administrator.",
    retry: "Try again",
    noGates: "No gate has been entered yet.",
    noAlerts: "No alerts so far.",
    noCameras: "No cameras yet.",
    noDevices: "No devices yet.",
    linkLive: "Live",
    linkConnecting: "Connecting",
    linkLost: "Disconnected",
    linkFailed: "Data error",
    lostSince: (time) => `Disconnected from the office since ${time}.`,
    lostWhat: "This screen is no longer updated. The page is reconnecting by itself.",
    soundOn: "Sound: on",
    soundOff: "Sound: off",
    soundBlocked: "Sound: press to resume",
    in: "In",
    out: "Out",
    doubtWhat: "Estimated error: 19 of 20 times the true number lies within it",
    coverage: "Coverage",
    coverageWhat: "of the time with a picture",
    coverageNone: "No counts yet",
    coverageFirst: "Coverage: less than a minute so far",
    coverageLow: "Counts may be too low",
    newAlarms: (count) => (count === 1 ? "New alarm" : `${count} new alarms`),
    isNew: "New",
    look: "Look",
    seen: "Seen",
    seenWhat: "Ends the reminder on this screen only",
    older: "Show older alerts",
    olderFailed: "Could not be loaded; press to try again",
    shown: (count) => `${count} ${count === 1 ? "alert" : "alerts"}`,
    alarm: "Alarm",
    notice: "Notice",
    exercise: "Exercise",
    late: "Late",
    lateWhat: "Sent late by the device, no longer an alarm",
    atCamera: "At the camera",
    ofList: "On the list",
    noEvidence: "No picture yet",
    gonePicture: "No longer kept",
    noPhoto: "No photograph on the list",
    similarity: "Similarity",
    threshold: "threshold",
    plateRead: "Plate read",
    exact: "Exact match",
    near: "Near match: check the picture",
    close: "Close",
    fieldList: "List",
    fieldKind: "Kind",
    fieldCamera: "Camera",
    fieldSite: "Site",
    fieldTaken: "Taken",
    fieldReceived: "Received",
    fieldMatch: "Match",
    fieldId: "Alert id",
    detailAdvice: "The system only suggests. Compare both pictures before you act.",
    enlarge: (name) => `Enlarge ${name}`,
    pictureOf: (name, time, boxes) => `Picture of ${name} at ${time}, ${boxes} ${boxes === 1 ? "object" : "objects"}`,
    noPicture: "No picture yet",
    stale: "Old picture",
    hit: "On a list",
    starting: "Opening",
    live: "Live",
    degraded: "No picture",
    shedding: (count) => `Overloaded: this camera left out ${count} frames. Counting goes on, with less certainty.`,
    ended: "Played to its end",
    unknown: "Not known",
    liveCameras: (live, all) => `${live}/${all} live`,
    online: "Online",
    offline: "Offline",
    stopped: "Stopped",
    never: "Never connected",
    since: (time, duration) => `since ${time} (${duration})`,
    onlineDevices: (online, all) => `${online}/${all} online`,
    notEntered: "Not entered",
    clockUnsure: "Clock not set yet",
    restarts: (n) => `${n} hung ${n === 1 ? "stage" : "stages"} restarted`,
    waiting: (count) => `${count} waiting to be sent`,
    camerasOf: (count) => `${count} ${count === 1 ? "camera" : "cameras"}`,
    quarantineShow: (count) => `${count} unreadable messages`,
    quarantineTitle: "Unreadable messages",
    quarantineWhat: "Kept as they came and counted nowhere. Tell the administrator if new ones appear.",
    quarantineNone: "There are none any more.",
    failedOnce: "The data could not be loaded.",
    bytes: (count) => `${count} bytes`,
    now: "just now",
    ago: (duration) => `${duration} ago`,
    seconds: (n) => `${n} s`,
    minutes: (n) => `${n} min`,
    hours: (n) => `${n} h`,
    days: (n) => `${n} ${n === 1 ? "day" : "days"}`,
  },
};

/** What is wrong with a camera or a device, by its code: in Vietnamese, and in English beside it. */
export const TROUBLES = {
  unreachable: ["Không kết nối được camera: kiểm tra dây mạng và địa chỉ", "nobody answers at its address"],
  wrong_password: ["Sai tên hoặc mật khẩu của camera", "wrong user or password"],
  no_such_stream: ["Camera không có luồng hình này: kiểm tra đường dẫn", "no stream of that name"],
  no_frames: ["Camera không gửi hình: hãy khởi động lại camera", "no picture comes"],
  frozen: ["Hình đứng yên: khởi động lại camera và xem ống kính", "the picture stands still"],
  bad_stream: ["Không giải mã được hình của camera", "the stream cannot be decoded"],
  stream_ended: ["Camera ngừng gửi hình, đang kết nối lại", "the stream ended"],
  bad_file: ["Không đọc được tệp video", "the video file cannot be read"],
  no_usb: ["Không mở được camera USB: kiểm tra đầu cắm", "the USB camera cannot be opened"],
  no_decoder: ["Thiết bị thiếu chương trình giải mã (ffmpeg)", "the decoder cannot be started"],
  model_failed: ["Lỗi khi phân tích hình", "a model fails on its pictures"],
  disk_refuses: ["Ổ đĩa của thiết bị đầy hoặc hỏng: camera đang chờ", "the disk takes no decisions"],
  restarted: ["Một khâu xử lý bị treo, vừa được khởi động lại", "a stage hung and was just restarted"],
  hangs: ["Bị treo nhiều lần dù đã khởi động lại: xem nhật ký của thiết bị", "it hangs again and again"],
  other: ["Lỗi khác: xem nhật ký của thiết bị", "another fault; see the log of the device"],
};

/** The words for a trouble: Vietnamese first, English beside it. */
export function trouble(code) {
  const known = Object.hasOwn(TROUBLES, code) ? TROUBLES[code] : TROUBLES.other;
  return known.join(" · ");
}

const KEPT_AS = "vong.language";
let language = "vi";
let offsetMin = 420;

/** Reads the choice of this browser; without one it is Vietnamese. */
export function startLanguage() {
  try {
    if (localStorage.getItem(KEPT_AS) === "en") language = "en";
  } catch {
    // A browser that keeps nothing still shows the page.
  }
  document.documentElement.lang = language;
}

/** Changes the language of the page and keeps the choice. */
export function setLanguage(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  try {
    localStorage.setItem(KEPT_AS, chosen);
  } catch {
    // As above.
  }
}

/** The language of the page, `vi` or `en`. */
export const currentLanguage = () => language;

/** Local time of the office, minutes ahead of UTC. */
export function setOffset(minutes) {
  if (Number.isFinite(minutes)) offsetMin = minutes;
}

/** A word of the page; words that depend on numbers take them. */
export function t(key, ...values) {
  const word = WORDS[language][key];
  return typeof word === "function" ? word(...values) : (word ?? String(key));
}

/** A name from data in the language of the page. */
export function named(names, id = "?") {
  const text = names?.[language] || names?.vi || names?.en || id;
  return typeof text === "string" ? text : "?";
}

const formats = new Map();
function format(kind, make) {
  const key = `${kind}|${language}`;
  if (!formats.has(key)) formats.set(key, make(language === "vi" ? "vi-VN" : "en-GB"));
  return formats.get(key);
}

/** 1.234 or 1,234; a dash for what is no number. */
export function whole(number) {
  return Number.isFinite(number) ? format("whole", (tag) => new Intl.NumberFormat(tag)).format(number) : "–";
}

/** ± 7, which stays in one line. */
export const plusMinus = (number) => `±\u00a0${whole(number)}`;

/** 0,62 or 0.62. */
export function hundredths(number) {
  const options = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return Number.isFinite(number) ? format("two", (tag) => new Intl.NumberFormat(tag, options)).format(number) : "–";
}

/** A share as whole percent; never 100 % where something is missing. */
export const percent = (share) => `${share >= 1 ? 100 : Math.min(99, Math.round(share * 100))} %`;

const local = (ms) => new Date(ms + offsetMin * 60_000);

/** 08:05:09. */
export function clock(ms) {
  return Number.isFinite(ms) ? local(ms).toISOString().slice(11, 19) : "--:--:--";
}

/** The day, written out or short. */
export function day(ms, long) {
  const options = long
    ? { weekday: "long", day: "2-digit", month: "2-digit", year: "numeric", timeZone: "UTC" }
    : { day: "2-digit", month: "2-digit", timeZone: "UTC" };
  return format(long ? "day" : "short", (tag) => new Intl.DateTimeFormat(tag, options)).format(local(ms));
}

/** Number of the local day; differs exactly where the day differs. */
export const dayNumber = (ms) => Math.floor((ms + offsetMin * 60_000) / 86_400_000);

/** The time, with the day where it is not today. */
export function moment(ms, nowMs) {
  if (!Number.isFinite(ms)) return "–";
  return dayNumber(ms) === dayNumber(nowMs) ? clock(ms) : `${clock(ms)} ${day(ms)}`;
}

/** How long, in the largest fitting unit. */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return t("seconds", seconds);
  if (seconds < 3600) return t("minutes", Math.floor(seconds / 60));
  if (seconds < 86_400) return t("hours", Math.floor(seconds / 3600));
  return t("days", Math.floor(seconds / 86_400));
}

/** How long ago; a clock that runs ahead reads as now. */
export const ago = (ms) => (ms < 2000 ? t("now") : t("ago", duration(ms)));
