const form = document.getElementById("send");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [button, output] = [form.querySelector("button"), form.querySelector("output")];
  button.disabled = true;
  output.textContent = "";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    output.textContent = answer.ok ? "Accepted." : await reason(answer);
  } catch {
    output.textContent = "The server cannot be reached.";
  } finally {
    button.disabled = false;
  }
});

async function reason(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `Refused (${answer.status}).`;
  }
}
