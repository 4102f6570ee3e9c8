// Making and changing elements. Invariant: whatever comes from data becomes text, never markup, and an address from data
// is used only where it points into this service's own API.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Makes an element; properties are attributes, `on` holds listeners; children are elements, texts or nothing. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

/** One of the icons that stand in the page. */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  made.append(use);
  return made;
}

/** Sets a text where it differs: a live region speaks and a layout moves only upon a change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or takes away an attribute where it differs. */
export function setAttribute(element, name, value) {
  if (value == null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** The address, where it is a path of the API; otherwise null. */
export const apiPath = (url) => (typeof url === "string" && url.startsWith("/api/v1/") ? url : null);

/** The array, or an empty one for anything else. */
export const listOf = (value) => (Array.isArray(value) ? value : []);

/** Shows in a panel's place for remarks that it is loading, empty or in error; nothing takes the remark away. */
export function note(panel, kind, text, action) {
  const place = panel.querySelector(".note");
  const key = kind ? `${kind}|${text}` : "";
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.dataset.kind = kind ?? "";
  const marks = { loading: "wait", empty: "info", error: "warn" };
  place.replaceChildren(...(kind ? [icon(marks[kind]), el("span", {}, text), action].filter(Boolean) : []));
}
