// The two live connections of /compare/live: opens both, sends the form that ends the session, and shows when each
// connection stops. Without this file, each connection opens in a tab of its own.

const root = document.querySelector("[data-live]");
const opener = root?.querySelector("[data-open]");
const result = root?.querySelector("[data-result]");
const sides = {};
// When the button was pressed and when the answer came, on this browser's clock.
let pressed;
let answered;

const part = (side, name) => root.querySelector(`[data-connection="${side}"] [data-${name}]`);
const millis = (time) => (time < 1000 ? `${time.toFixed(1)} ms` : `${(time / 1000).toFixed(1)} s`);

function show(side, state) {
  for (const text of root.querySelectorAll(`[data-connection="${side}"] [data-state]`)) {
    text.hidden = text.dataset.state !== state;
  }
}

function open(side) {
  sides[side]?.source.close();
  const source = new EventSource(root.dataset[side]);
  const connection = { source, lines: 0, since: 0, open: false };
  sides[side] = connection;
  part(side, "lines").textContent = "0";
  part(side, "last").textContent = "None yet";
  show(side, "none");
  source.onopen = () => {
    connection.open = true;
    show(side, "open");
  };
  source.onmessage = (event) => {
    connection.lines += 1;
    if (answered) connection.since += 1;
    part(side, "lines").textContent = connection.lines;
    part(side, "last").textContent = event.data.split(", ").at(-1);
    if (answered) tell();
  };
  // The server's last words, when a minute is over.
  source.addEventListener("end", () => finish(side, "ended"));
  source.onerror = () => {
    const now = performance.now();
    // The browser connects again by itself, and gives up when it is refused (HTML, "server-sent events").
    connection.refused = source.readyState === EventSource.CLOSED;
    if (connection.closed === undefined) {
      connection.closed = now;
      show(side, connection.open ? "closed" : "none");
    }
    if (pressed) tell();
    if (connection.refused) finish(side);
  };
}

function finish(side, state) {
  sides[side].source.close();
  if (state) show(side, state);
  if (Object.values(sides).every(({ source }) => source.readyState === EventSource.CLOSED)) opener.disabled = false;
}

function tell() {
  const { session, token } = sides;
  const sentences = [];
  if (answered) sentences.push(`The answer came ${millis(answered - pressed)} after you pressed the button.`);
  if (session?.closed) {
    sentences.push(`The session's connection was closed after ${millis(session.closed - pressed)}${session.refused ? ", and the browser was refused when it tried again" : ""}.`);
  }
  // Announced once, not with every line.
  if (token && answered && token.since > 0) sentences.push("The token's connection still delivers lines.");
  // For tests: what is certain by now.
  result.toggleAttribute("data-refused", session?.refused === true);
  result.toggleAttribute("data-delivered", token?.since > 0);
  const text = sentences.join(" ");
  if (result.textContent !== text) result.textContent = text;
}

async function send(event) {
  if (!Object.values(sides).some(({ open, closed }) => open && closed === undefined)) return;
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form));
  pressed = performance.now();
  answered = undefined;
  try {
    // The redirect is the answer: the page it leads to is not needed.
    await fetch(form.action, { method: "POST", body, redirect: "manual" });
    answered = performance.now();
    // The forms belong to the state before.
    for (const used of root.querySelectorAll("form")) used.hidden = true;
    root.querySelector("[data-again]").hidden = false;
    tell();
  } catch {
    result.textContent = "We can't reach Latchkey. Check your connection, then reload the page.";
  }
}

if (root) {
  opener.hidden = false;
  result.textContent = "Open both connections, then end the session.";
  opener.addEventListener("click", () => {
    opener.disabled = true;
    pressed = answered = undefined;
    result.textContent = "";
    open("session");
    open("token");
  });
  for (const form of root.querySelectorAll("form")) form.addEventListener("submit", send);
}
