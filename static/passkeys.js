// Passkeys, the one thing that takes a script: asks the server for a challenge, has the browser answer it, sends the
// answer back. The page brings a hidden [data-passkey] with a button; everything else works without this file.

const place = document.querySelector("[data-passkey]");
const button = place?.querySelector("button");
const said = place?.querySelector(".error");

// What is said when the browser gives up (WebAuthn Level 3, the errors of create() and get()).
const WORDS = {
  NotAllowedError: "Nothing was changed: you cancelled, or it took too long. Try again when you're ready.",
  InvalidStateError: "This device already has a passkey for your account.",
  SecurityError: "Passkeys don't work at this address. Use another way.",
  NotSupportedError: "This device can't create the kind of passkey that is needed. Try another device.",
  ConstraintError: "This device can't check that it's you. Set up a PIN, fingerprint or face on it, or try another device.",
  TypeError: "We can't reach Latchkey. Check your connection, then try again.",
};
const OTHERWISE = "This didn't work. Try again, or use another way.";

// The server's own words about why not.
class Refused extends Error {}

// JSON carries bytes as base64url, the browser as buffers.
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
const text = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const ids = (list = []) => list.map((known) => ({ ...known, id: bytes(known.id) }));

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": place.dataset.token },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  // Log in or confirm first.
  if (answer.next) location.assign(answer.next);
  throw new Refused(answer.detail ?? OTHERWISE, { cause: answer.code });
}

// Log in and confirm: a passkey that exists already. The page names the rows that ask for it and check it; `ways` say how
// the browser offers it.
const rows = place?.dataset.path ?? "/login/passkey";
async function ask(ways) {
  const { publicKey, next } = await post(`${rows}/start?${then()}`, {});
  // There is nothing to ask for any more.
  if (next) {
    location.assign(next);
    throw new Refused("");
  }
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.allowCredentials = ids(publicKey.allowCredentials);
  return navigator.credentials.get({ publicKey, ...ways });
}

// What stands in the form beside it: where to go afterwards, whether to be kept logged in.
function then() {
  const query = new URLSearchParams();
  const next = document.querySelector("input[name=next]")?.value;
  if (next) query.set("next", next);
  if (document.querySelector("input[name=remember]")?.checked) query.set("remember", "1");
  return query;
}

function answer({ id, rawId, type, response }) {
  return post(`${rows}/finish?${then()}`, {
    id, type,
    rawId: text(rawId),
    response: {
      authenticatorData: text(response.authenticatorData),
      clientDataJSON: text(response.clientDataJSON),
      signature: text(response.signature),
      userHandle: response.userHandle && text(response.userHandle),
    },
  });
}

async function register() {
  const { publicKey } = await post("/account/passkeys/start", {});
  publicKey.challenge = bytes(publicKey.challenge);
  publicKey.user.id = bytes(publicKey.user.id);
  publicKey.excludeCredentials = ids(publicKey.excludeCredentials);
  const { id, rawId, type, response } = await navigator.credentials.create({ publicKey });
  // With the first passkey: what the password is worth from now on.
  const step = place.querySelector("input[name=second_step]:checked")?.value ?? "";
  return post(`/account/passkeys/finish?${new URLSearchParams({ second_step: step })}`, {
    id, type,
    rawId: text(rawId),
    response: {
      attestationObject: text(response.attestationObject),
      clientDataJSON: text(response.clientDataJSON),
    },
  });
}

// `code` is the server's, or the name of the browser's error.
function say(words, code = "") {
  said.textContent = words;
  said.dataset.refusal = code;
  said.hidden = !words;
}

// Whether it worked; then the page is about to change.
async function run(ceremony) {
  say("");
  try {
    const { next, codes } = await ceremony();
    const form = codes && document.querySelector("#make-codes");
    // Confirmed in the place of a form: that one comes back filled in. Its empty password field must not stop it.
    const draft = document.querySelector("input[name=draft]")?.form;
    if (form) form.requestSubmit();
    else if (draft) draft.submit();
    else location.assign(next);
    return true;
  } catch (error) {
    if (error instanceof Refused) say(error.message, error.cause);
    else say(WORDS[error.name] ?? OTHERWISE, error.name);
    return false;
  }
}

// The browser offers passkeys beside the saved passwords, in the field for the address. A challenge holds five
// minutes, so a page that is left open asks anew.
let offer;
async function beside() {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const { signal } = (offer = new AbortController());
  const stale = setTimeout(() => {
    offer.abort();
    if (document.hidden) document.addEventListener("visibilitychange", beside, { once: true });
    else beside();
  }, 240_000);
  let picked;
  try {
    picked = await ask({ mediation: "conditional", signal });
  } catch {
    // The user has not asked for anything yet, so show no message.
    return;
  } finally {
    clearTimeout(stale);
  }
  await run(() => answer(picked));
}

if (place) {
  const { passkey: kind } = place.dataset;
  place.hidden = false;
  said.role = "alert";
  if (!window.PublicKeyCredential) {
    button.hidden = true;
    say("This browser can't use passkeys.", "unsupported");
  } else {
    button.addEventListener("click", async () => {
      offer?.abort();
      button.disabled = true;
      if (await run(async () => (kind === "register" ? register() : answer(await ask({}))))) return;
      button.disabled = false;
      button.focus();
      if (kind === "log-in") beside();
    });
    if (kind === "log-in") beside();
  }
}
