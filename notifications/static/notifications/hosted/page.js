/** Sends the page's forms without leaving it, so that place and focus are kept and what was saved is said aloud.
    All of it works without this. */

/** An answer is said once: who reloads, or keeps the address, hears it no more. */
function forget() {
  const address = new URL(location.href);
  if (!address.searchParams.has("said")) return;
  address.searchParams.delete("said");
  history.replaceState(null, "", address);
}

/** What is new stands in the live region that was there before: only such a change is announced. */
function take(text, pressed) {
  const answer = new DOMParser().parseFromString(text, "text/html");
  const said = document.getElementById("said");
  const news = answer.getElementById("said").cloneNode(true).childNodes;
  answer.getElementById("said").replaceWith(said);
  const wereOpen = [...document.querySelectorAll("details")].map((details) => details.open);
  document.getElementById("main").replaceChildren(...answer.getElementById("main").childNodes);
  document.querySelectorAll("details").forEach((details, place) => (details.open = wereOpen[place]));
  said.replaceChildren(...news);
  (document.getElementById(pressed) ?? said).focus({ preventScroll: true });
  said.scrollIntoView({ block: "nearest" });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  event.submitter.disabled = true;
  try {
    const answer = await fetch(location.href, { method: "POST", body });
    if (!answer.ok) throw new Error(answer.status);
    take(await answer.text(), event.submitter.id);
  } catch {
    event.submitter.disabled = false;
    HTMLFormElement.prototype.submit.call(withButton(form, event.submitter));
  }
});

/** The form as the browser would have sent it by that button. */
function withButton(form, button) {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: button.name, value: button.value });
  form.append(field);
  return form;
}

forget();
