"use strict";
const element = id => document.getElementById(id);
const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const time = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const money = cents => euros.format(cents / 100).replace("-", "\u2212");
const signed = cents => (cents > 0 ? "+" : "") + money(cents);
const words = { opened: "Opened", deposited: "Deposit", withdrawn: "Withdrawal" };
const change = entry => (entry.kind === "withdrawn" ? -entry.amount : entry.amount);

// On this machine the tenant is a header; on AWS it is a claim of the caller's token.
const byToken = document.body.dataset.signIn === "token";
const identity = element("identity");
const stored = byToken ? "token" : "tenant";
identity.value = sessionStorage.getItem(stored) ?? (byToken ? "" : "acme");
if (byToken) {
  element("identity-label").textContent = "Token";
  identity.type = "password";
}

const headers = () => {
  const name = byToken ? "authorization" : "x-tenant";
  return { [name]: byToken ? `Bearer ${identity.value}` : identity.value, "content-type": "application/json" };
};

// With a slash: "#open" would be an element of this page.
const addressed = () => decodeURIComponent(location.hash.slice(2) || "ann");
let account = addressed();
let seen = { version: 0, etag: null };
let awaited = 0; // version of the last command: until the read model has it, the page looks again
let shown = "";

const call = async (path, options = {}) => {
  const reply = await fetch(path, { ...options, headers: { ...headers(), ...options.headers } });
  const body = await reply.json().catch(() => ({}));
  return { status: reply.status, etag: reply.headers.get("etag"), body };
};

const say = (text, isBad = false) => {
  // The API counts in cents.
  element("message").textContent = text.replace(/(\d+) cents/g, (_, cents) => money(cents));
  element("message").classList.toggle("bad", isBad);
  element("message").hidden = !text;
};

// Texts of others only ever become text, never HTML.
const make = (tag, className, ...content) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
};

const amount = entry => {
  const cents = change(entry);
  return make("span", cents < 0 ? "out" : cents > 0 ? "in" : "muted", cents ? signed(cents) : "–");
};

const entryRow = entry => {
  const row = document.createElement("tr");
  row.append(
    make("td", "", words[entry.kind] ?? entry.kind),
    make("td", "when", time.format(new Date(entry.at))),
    make("td", "num", amount(entry)),
    make("td", "num", money(entry.balance)),
  );
  return row;
};

const activityLine = entry => {
  const name = make("button", "", entry.account);
  name.type = "button";
  name.addEventListener("click", () => choose(entry.account));
  const text = make("span", "", name, make("span", "muted", `${words[entry.kind] ?? entry.kind}, ${day.format(new Date(entry.at))}`));
  return make("li", "", text, make("span", "num", amount(entry)));
};

const draw = (found, entries, activity) => {
  const now = JSON.stringify([account, found, entries, activity, awaited]);
  if (now === shown) return;
  shown = now;
  const exists = found.status === 200;
  element("owner").textContent = exists ? found.body.owner : "No account of this name";
  element("balance").textContent = exists ? money(found.body.balance) : "";
  element("balance").hidden = !exists;
  element("opening").hidden = exists || found.status !== 404 || awaited > 0;
  element("moving").hidden = element("history").hidden = !exists;
  element("entries").replaceChildren(...entries.map(entryRow));
  element("activity").replaceChildren(...activity.map(activityLine));
  element("quiet").hidden = activity.length > 0;
  const late = awaited > (exists ? found.body.version : 0);
  element("state").textContent = late ? "Stored. The read model follows …" : exists ? `Version ${found.body.version}` : "";
  element("condition-version").textContent = seen.version;
};

const show = async () => {
  if (!identity.value) {
    say(byToken ? "Paste a token of your user pool at the top." : "Name a tenant at the top.", true);
    return;
  }
  const asked = account;
  const path = `/accounts/${encodeURIComponent(asked)}`;
  const [found, statement, activity] = await Promise.all([call(path), call(`${path}/statement`), call("/activity")]);
  if (asked !== account) return;
  if (found.status === 401) {
    say("The API does not take this token: it may have expired. Paste a new one at the top.", true);
  } else if (found.status !== 200 && found.status !== 404) {
    say(found.body.detail ?? "The API did not answer.", true);
  }
  if (found.status === 200) seen = { version: found.body.version, etag: found.etag };
  else seen = { version: 0, etag: null };
  if (seen.version >= awaited) awaited = 0;
  draw(found, statement.status === 200 ? statement.body : [], activity.status === 200 ? activity.body : []);
};

const look = async () => {
  try {
    if (!document.hidden) await show();
  } catch {
    say("The API cannot be reached. The page tries again.", true);
  }
};

const follow = async () => {
  await look();
  setTimeout(follow, awaited ? 250 : 3000);
};

const choose = name => {
  account = name;
  awaited = 0;
  location.hash = `/${encodeURIComponent(name)}`;
  element("account").value = name;
  say("");
  look();
};

const send = async (command, body, done) => {
  const sent = { "idempotency-key": crypto.randomUUID() };
  if (element("condition").checked && seen.etag) sent["if-match"] = seen.etag;
  const options = { method: "POST", body: JSON.stringify(body), headers: sent };
  const path = `/accounts/${encodeURIComponent(account)}/${command}`;
  const buttons = document.querySelectorAll("main button");
  buttons.forEach(button => (button.disabled = true));
  try {
    const replies = [await call(path, options)];
    if (element("twice").checked) replies.push(await call(path, options));
    const last = replies.at(-1);
    if (last.status === 202) {
      awaited = last.body.version;
      const both = replies.length > 1 ? " Both requests got the same reply, and one was carried out." : "";
      say(`${done} The balance is ${money(last.body.balance)}, at version ${last.body.version}.${both}`);
    } else {
      say(last.body.detail ?? "The request was refused.", true);
    }
    return last.status === 202;
  } catch {
    say("No reply came. Send it again: with the same key it is carried out once.", true);
    return false;
  } finally {
    buttons.forEach(button => (button.disabled = false));
    await look();
  }
};

element("choose").addEventListener("submit", event => {
  event.preventDefault();
  choose(element("account").value.trim());
});
element("open").addEventListener("submit", async event => {
  event.preventDefault();
  if (await send("open", { owner: element("new-owner").value }, "The account is open.")) element("open").reset();
});
element("move").addEventListener("submit", async event => {
  event.preventDefault();
  const typed = element("amount").value.trim().replace(",", ".");
  if (!/^\d{1,9}(\.\d{1,2})?$/.test(typed)) {
    say("Enter an amount such as 12.50.", true);
    element("amount").focus();
    return;
  }
  const command = event.submitter?.value ?? "deposit";
  const done = command === "deposit" ? "The money is in." : "The money is out.";
  if (await send(command, { amount: Math.round(Number(typed) * 100) }, done)) element("amount").value = "";
});
element("sign-in").addEventListener("submit", event => event.preventDefault());
identity.addEventListener("change", () => {
  sessionStorage.setItem(stored, identity.value);
  say("");
  look();
});
window.addEventListener("hashchange", () => {
  if (addressed() !== account) choose(addressed());
});
element("account").value = account;
follow();
