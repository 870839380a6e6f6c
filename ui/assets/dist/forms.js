// Checks of a form while the user types. Without it, the form has a button that checks it.
(() => {
  "use strict";
  const announce = document.getElementById("announce");

  // The result of a check is read again when its task changes, until the task has ended. The stream is
  // opened after the task was created, and may be interrupted, so the result is also read at intervals.
  const check = document.getElementById("check");
  if (check && window.htmx) {
    let source, timer = 0, followed = "", said = "";
    const read = () => htmx.trigger(document.body, "refresh");
    const follow = () => {
      const part = check.querySelector("[data-live]");
      if ((part?.dataset.live ?? "") === followed) return;
      followed = part?.dataset.live ?? "";
      source?.close();
      clearInterval(timer);
      if (!part) return;
      source = new EventSource(followed);
      source.onopen = read;
      source.addEventListener(part.dataset.signal, read);
      source.addEventListener("closed", () => source.close());
      timer = setInterval(read, 3000);
    };
    new MutationObserver((changes) => {
      if (changes.some((change) => change.target === check && change.type === "childList")) check.classList.remove("changed");
      follow();
      const text = check.querySelector(".badge:not(.busy), .notice strong")?.textContent ?? said;
      if (text !== said) announce.textContent = said = text;
    }).observe(check, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-live"] });
    check.previousElementSibling.addEventListener("input", () => check.classList.add("changed"));
    follow();
  }
  if (check?.dataset.check && window.htmx) {
    const form = check.previousElementSibling;
    const entries = () => new URLSearchParams(new FormData(form));
    const send = async (url, body) => {
      const answer = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true" } });
      if (answer.redirected) location.reload(); // The session has ended.
      return answer.redirected ? undefined : answer;
    };

    // A form without errors is checked when the user pauses, at most once in 2 seconds, one check at a time.
    let timer = 0, busy = false, checked = "", next = 0;
    const schedule = (delay = 800) => {
      clearTimeout(timer);
      timer = setTimeout(run, Math.max(delay, next - Date.now()));
    };
    const run = async () => {
      if (busy) return schedule();
      const body = entries(), sent = body.toString();
      if (sent === checked) return;
      body.set("auto", "1");
      body.set("former", check.querySelector("[data-task]")?.dataset.task ?? "");
      busy = true;
      try {
        const answer = await send(check.dataset.check, body);
        if (answer?.status === 200) {
          check.innerHTML = await answer.text();
          htmx.process(check);
          if (entries().toString() !== sent) setTimeout(() => check.classList.add("changed"));
        }
        if (answer?.status === 429) schedule(2000); else checked = sent;
      } catch { /* Without a connection, the button remains. */ }
      busy = false;
      next = Date.now() + 2000;
    };
    form.addEventListener("input", () => schedule());
    form.addEventListener("click", (event) => {
      if (!event.target.closest("button[formaction]")) return;
      clearTimeout(timer);
      checked = entries().toString();
      next = Date.now() + 2000;
    });

    // The server judges the fields that were changed.
    const changed = new Set([...form.querySelectorAll(".field")].filter((field) => field.querySelector(".error")));
    // The list of errors at the top loses those that are corrected.
    const updateErrors = (states) => {
      const errors = document.getElementById("errors"), heading = errors?.querySelector("[data-one]");
      if (!heading) return;
      errors.querySelectorAll("li").forEach((line) => {
        const id = line.querySelector("a").hash.slice(1);
        if (!states.querySelector(`[data-problem="${id}"]`)) line.remove();
      });
      const count = errors.querySelectorAll("li").length;
      if (!count) errors.remove();
      heading.textContent = count === 1 ? heading.dataset.one : heading.textContent.replace(/\d+/, count);
    };
    const judge = async () => {
      let states;
      try {
        const answer = await send(check.dataset.fields, entries());
        if (answer?.status !== 200) return;
        states = new DOMParser().parseFromString(await answer.text(), "text/html");
      } catch { return; } // Without a connection, the fields are judged when the form is submitted.
      updateErrors(states);
      form.querySelector("#values-notices")?.replaceChildren(...states.querySelectorAll("[data-notices]"));
      for (const field of form.querySelectorAll(".field")) {
        const control = field.matches("fieldset") ? field : field.querySelector("input[id], select[id], textarea[id]");
        if (!control) continue;
        if (field.hasAttribute("data-conditional")) field.hidden = !!states.querySelector(`[data-hidden="${control.id}"]`);
        if (!changed.has(field)) continue;
        const problem = states.querySelector(`[data-problem="${control.id}"]`)?.textContent, note = `${control.id}-problem`;
        field.querySelectorAll(".error").forEach((old) => old.remove());
        const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== note);
        if (problem) {
          field.append(Object.assign(document.createElement("p"), { className: "error", id: note, textContent: problem }));
          described.push(note);
        }
        if (problem && !field.matches("fieldset")) control.setAttribute("aria-invalid", "true"); else control.removeAttribute("aria-invalid");
        if (described.length) control.setAttribute("aria-describedby", described.join(" ")); else control.removeAttribute("aria-describedby");
      }
    };
    form.addEventListener("change", (event) => {
      const field = event.target.closest(".field");
      if (field) changed.add(field);
      judge();
    });
    if (form.querySelector("[data-conditional]")) judge();

    // Another version has other inputs. Entries are kept, also those of inputs that only a former version has.
    const inputs = document.getElementById("input-part"), kept = new Map();
    let latest = 0;
    const keep = () => inputs.querySelectorAll("[name]").forEach((control) => {
      if (control.type !== "radio" || control.checked) kept.set(control.name, control.value);
    });
    const restore = (control) => {
      const value = kept.get(control.name);
      if (value === undefined) return;
      if (control.type === "radio") control.checked = control.value === value;
      else if (!control.options || [...control.options].some((option) => option.value === value)) control.value = value;
    };
    const showInputs = async () => {
      const number = ++latest;
      let text;
      try {
        const answer = await send(check.dataset.inputs, entries());
        if (answer?.status !== 200) return;
        text = await answer.text();
      } catch { return; } // Without a connection, the inputs are shown when the form is submitted.
      if (number !== latest) return;
      keep();
      const focused = inputs.contains(document.activeElement) ? document.activeElement.id : "";
      inputs.innerHTML = text;
      inputs.querySelectorAll("[name]").forEach(restore);
      if (focused) document.getElementById(focused)?.focus();
      for (const name of ["change", "input"]) form.dispatchEvent(new Event(name)); // The preview and the check begin again.
    };
    form.addEventListener("change", (event) => { if (inputs && event.target.matches("#version, #choice")) showInputs(); });

    // Values are judged when the user pauses. Default values are shown beside them, and can be copied.
    const values = form.querySelector("#values"), defaults = form.querySelector(".defaults");
    let pause = 0;
    values?.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => { changed.add(values.closest(".field")); judge(); }, 800);
    });
    const list = async () => {
      if (!defaults?.open) return;
      try {
        const answer = await send(defaults.dataset.defaults, entries());
        if (answer?.status === 200) defaults.lastElementChild.innerHTML = await answer.text();
      } catch { /* Without a connection, the link to the default values remains. */ }
    };
    defaults?.addEventListener("toggle", list);
    form.querySelector("#version, #choice")?.addEventListener("change", list);
    defaults?.addEventListener("click", async (event) => {
      const keys = event.target.closest("[data-keys]")?.dataset.keys;
      if (!keys) return;
      const body = entries();
      body.set("keys", keys);
      try {
        const answer = await send(defaults.dataset.copy, body);
        const text = answer ? await answer.text() : "";
        if (answer?.status !== 200) { announce.textContent = text; return; }
        values.value = text;
      } catch { return; } // Without a connection, nothing is copied.
      values.focus();
      values.dispatchEvent(new Event("input", { bubbles: true }));
      values.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }
})();
