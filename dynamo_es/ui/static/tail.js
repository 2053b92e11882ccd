// The live tail: adds a row for each event that the server sends. Texts are set as text, never as
// HTML. The browser reconnects on its own, and names the last position that it has.
"use strict";

const MOST_ROWS = 500;

const tail = document.getElementById("tail");
const rows = document.getElementById("tail-rows");
const state = document.getElementById("tail-state");
const counter = document.getElementById("tail-count");
const pause = document.getElementById("tail-pause");

let received = 0;
let waiting = [];
let paused = false;

function say(text, kind) {
  state.textContent = text;
  state.className = `badge ${kind}`;
}

function count() {
  const held = waiting.length ? `, ${waiting.length} held back` : "";
  counter.textContent = received ? `${received.toLocaleString("en")} since this page was opened${held}` : "";
}

function cell(label, content, className) {
  const td = document.createElement("td");
  td.dataset.label = label;
  if (className) td.className = className;
  td.append(content);
  return td;
}

function isolated(text) {
  const bdi = document.createElement("bdi");
  bdi.textContent = text;
  return bdi;
}

function link(address, text) {
  const a = document.createElement("a");
  a.href = address;
  a.append(isolated(text));
  return a;
}

function row(event) {
  const tr = document.createElement("tr");
  const time = document.createElement("time");
  time.dateTime = time.title = event.exactly;
  time.textContent = event.at;
  tr.append(
    cell("Position", event.position.toLocaleString("en"), "num"),
    cell("Time (UTC)", time, "nowrap"),
    cell("Event", link(event.link, event.event)),
    cell("Stream", link(event.stream_link, event.stream)),
    cell("Category", isolated(event.category || "–"), "wide"),
  );
  if (tail.dataset.tenants) tr.append(cell("Tenant", isolated(event.tenant || "(default)"), "wide"));
  tr.append(cell("Version", String(event.version ?? "–"), "num"));
  tr.className = "fresh";
  return tr;
}

function show(events) {
  document.getElementById("tail-empty")?.remove();
  for (const event of events) rows.prepend(row(event));
  while (rows.childElementCount > MOST_ROWS) rows.lastElementChild.remove();
}

let source = null;
let last = null;

function take(sent) {
  last = sent.lastEventId;
  received += 1;
  waiting.push(JSON.parse(sent.data));
  if (waiting.length > MOST_ROWS) waiting.shift();
  if (!paused) show(waiting.splice(0));
  count();
}

function tell(sent) {
  last = sent.lastEventId;
  const cost = JSON.parse(sent.data);
  const units = cost.read_units === null ? "" : `, ${cost.read_units.toLocaleString("en")} read units`;
  say("Live", "good");
  state.title = `This tail cost ${cost.requests.toLocaleString("en")} requests${units} so far`;
}

function connect() {
  const address = new URL(tail.dataset.source, location.href);
  if (last) address.searchParams.set("after", last);
  source = new EventSource(address);
  source.onopen = () => say("Live", "good");
  source.onerror = () =>
    source.readyState === EventSource.CLOSED
      ? say("Ended: load the page again", "bad")
      : say("Reconnecting …", "warn");
  source.onmessage = take;
  source.addEventListener("trouble", (sent) => say(`Trouble: ${JSON.parse(sent.data)}`, "warn"));
  source.addEventListener("cost", tell);
}

// A hidden page sends no requests. It catches up when it is visible again.
document.addEventListener("visibilitychange", () => {
  source.close();
  if (document.visibilityState === "visible") connect();
  else say("Paused while this page is hidden", "quiet");
});

pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  if (!paused) show(waiting.splice(0));
  count();
});

addEventListener("pagehide", () => source.close());
connect();
tail.hidden = false;
