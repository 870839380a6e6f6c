// Installing and changing apps with the forms.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, checkWidth, control, eventually, launch, newPage, open, paths, picture, signedIn, site, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const installPath = `${paths.app}/install`;

async function fill(page, name) {
  await page.getByLabel("Namespace", { exact: true }).last().selectOption({ label: site.tenant });
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("WIKI_ADMIN_EMAIL").fill("jane@example.com");
}

for (const variant of variants) {
  test(`the forms at ${variant.width} px, ${variant.colorScheme}, ${variant.locale}`, async (t) => {
    const words = variant.words;
    const context = await signedIn(browser, variant.options);
    t.after(() => context.close());
    const page = await newPage(context);
    for (const [name, path] of Object.entries({
      install: installPath, adopt: `${paths.app}/adopt`, "action-upgrade": `${paths["instance-update"]}/actions/upgrade`,
      "action-configure": `${paths.instance}/actions/configure`, "action-clone": `${paths.instance}/actions/clone`, "action-uninstall": `${paths["instance-running"]}/actions/uninstall`, "action-stop": `${paths["instance-running"]}/actions/stop`,
      "action-install": `${paths["instance-record"]}/actions/install`, "record-delete": `${paths["instance-record"]}/delete`,
      "action-rollback": `${paths.instance}/actions/rollback`, "source-new": "/sources/new", "source-change": `${paths["source-own"]}/edit`,
      "source-suspend": `${paths["source-own"]}/actions/suspend`, "source-delete": `${paths["source-own"]}/actions/delete`, "source-forbidden": `${paths.source}/edit`,
      "task-inputs": `${paths["task-waiting"]}/inputs`, "task-cancel": `${paths["task-waiting"]}/cancel`,
    })) {
      const response = await open(page, path);
      assert.equal(response.status(), 200, name);
      if (name === "source-new") for (const summary of await page.locator("form summary").all()) await summary.click();
      await picture(page, `${name}-${variant.suffix}`, true);
      await checkWidth(page, name);
      await checkAccessibility(page, name);
    }
    await open(page, `${paths["instance-update"]}/actions/upgrade`);
    await page.getByRole("button", { name: words.check, exact: true }).click();
    await page.locator("#check").getByText(words.checking).waitFor();
    await control("end-checks");
    await page.locator("#check").getByText(words.noProblems).waitFor({ timeout: 5000 });
    for (const summary of await page.locator("#check summary").all()) await summary.click();
    await picture(page, `action-upgrade-checked-${variant.suffix}`, true);
    await checkWidth(page, "a check");
    await checkAccessibility(page, "a check");
    await open(page, installPath);
    await page.getByLabel(words.name, { exact: true }).fill("Wrong name");
    await page.getByRole("button", { name: words.install, exact: true }).click();
    await page.locator("#errors").waitFor();
    await picture(page, `install-errors-${variant.suffix}`, true);
    await checkAccessibility(page, "errors");
    assert.deepEqual(page.faults.filter((each) => !/status of 422/.test(each)), []);
  });
}

test("a form shows what it creates, and its errors get the focus", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await fill(page, "preview-me");
  await page.getByLabel("Title").focus();
  assert.ok(await eventually(async () => /instanceName: preview-me[\s\S]*jane@example.com|jane@example.com[\s\S]*instanceName: preview-me/.test(await page.locator("#preview").innerText())), "the manifest follows the form");
  await page.getByLabel("WIKI_ADMIN_EMAIL").fill("jane");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  await page.locator("#errors").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "errors");
  await page.locator("#errors").getByRole("link").click();
  assert.equal(await page.getByLabel("WIKI_ADMIN_EMAIL").evaluate((field) => document.activeElement === field), true, "a link leads to the field");
  assert.equal(await page.getByLabel("WIKI_ADMIN_EMAIL").inputValue(), "jane");
  await page.getByLabel("WIKI_ADMIN_EMAIL").fill("jane@example.com");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  await page.waitForURL(/\/tasks\/.*\/install-preview-me-/);
  const task = page.url();
  await page.goBack();
  assert.equal(await page.getByLabel("WIKI_ADMIN_EMAIL").inputValue(), "jane@example.com", "the browser returns to the entries");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  await page.waitForURL(/\/tasks\//);
  assert.equal(page.url(), task, "the form creates one task");
});

test("a check shows its result without leaving the form", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await fill(page, "checked");
  const result = page.locator("#check");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await result.getByText("Checking").waitFor();
  await control("end-checks");
  await result.getByText("No problems found").waitFor({ timeout: 5000 });
  assert.equal(await page.locator("#announce").innerText(), "No problems found", "the result is announced");
  await result.getByText("Created").click();
  assert.match(await result.innerText(), /wiki-web/);
  assert.equal(await page.getByLabel("WIKI_ADMIN_EMAIL").inputValue(), "jane@example.com", "the entries stay");
  assert.equal(await result.getByText("The form was changed").isVisible(), false);
  await page.getByLabel("Name", { exact: true }).fill("Wrong name");
  assert.equal(await result.getByText("The form was changed").isVisible(), true);
  await checkAccessibility(page, "a check");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await result.getByText("1 field needs a correction").waitFor();
  await result.getByRole("link", { name: "Name" }).click();
  assert.equal(await page.getByLabel("Name", { exact: true }).evaluate((field) => document.activeElement === field), true, "a link leads to the field");
  assert.match(page.url(), /\/install$/);
  assert.deepEqual(page.faults, []);
});

test("a form is checked while typing, and shows the problem of a field when it is left", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  const checks = [];
  page.on("response", (response) => { if (response.url().endsWith("/install/check")) checks.push(response.status()); });
  await open(page, installPath);
  const result = page.locator("#check"), email = page.getByLabel("WIKI_ADMIN_EMAIL");
  await page.getByLabel("Namespace", { exact: true }).last().selectOption({ label: site.tenant });
  await page.getByLabel("Name", { exact: true }).fill("typed");
  await email.pressSequentially("jane", { delay: 30 });
  await page.getByLabel("Title").focus();
  await page.getByText("must be an email address").waitFor();
  assert.equal(await email.getAttribute("aria-invalid"), "true");
  assert.match(await email.evaluate((field) => document.getElementById(field.getAttribute("aria-describedby").split(" ").pop()).textContent), /must be an email address/);
  await checkAccessibility(page, "the problem of a field");
  await page.waitForTimeout(1200);
  assert.equal(await result.innerText(), "", "a form with a problem is not checked");
  await email.pressSequentially("@example.com", { delay: 30 });
  await result.getByText("Checking").waitFor({ timeout: 5000 });
  assert.equal(await email.evaluate((field) => document.activeElement === field && field.value), "jane@example.com", "text and focus stay");
  await control("end-checks");
  await result.getByText("No problems found").waitFor({ timeout: 5000 });
  await page.getByLabel("Title").focus();
  assert.ok(await eventually(async () => (await email.getAttribute("aria-invalid")) === null), "the problem is gone");
  await page.getByLabel("Title").pressSequentially("A wiki for all of us", { delay: 150 });
  await page.waitForTimeout(3000);
  const made = checks.filter((status) => status === 200).length;
  assert.ok(made >= 2 && made <= 3, `${made} checks after two pauses`);
  assert.deepEqual(page.faults, []);
});

/** Enters a text as a script of the page does. */
const enterText = (field, text) => field.evaluate((element, entered) => {
  element.value = entered;
  element.dispatchEvent(new Event("input", { bubbles: true }));
}, text);

test("values are checked while typing, and default values are copied", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await page.getByText("Values", { exact: true }).click();
  const editor = page.locator(".editor .cm-content"), values = page.locator("#values"), notices = page.locator("#values-notices");
  await editor.waitFor();
  await enterText(values, "replicas: 1\n\ttag: a\n");
  await page.getByText(/line 2, column 1/).waitFor();
  assert.equal(await editor.getAttribute("aria-invalid"), "true");
  assert.match(await editor.getAttribute("aria-description"), /line 2, column 1/);
  await enterText(values, "replicas: 9\nimge: {}\n");
  await notices.getByText(/replicas: .*must be at most 2/).waitFor();
  await notices.getByText(/no key imge.*Did you mean image/).waitFor();
  assert.equal(await page.getByText(/line 2, column 1/).count(), 0);
  await enterText(values, "# mine\nreplicas: 2\n");
  await page.getByText("Default values", { exact: true }).click();
  await page.getByRole("button", { name: "Copy to mine image.tag" }).click();
  assert.ok(await eventually(async () => (await values.inputValue()) === "# mine\nreplicas: 2\nimage:\n  tag: 1.2.0\n"), await values.inputValue());
  assert.equal(await editor.evaluate((content) => content.matches(":focus")), true);
  await checkWidth(page, "values");
  await checkAccessibility(page, "values");
  assert.deepEqual(page.faults, []);
});

test("values are edited with line numbers, colors and indentation, which are loaded when they are needed", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context), weights = [];
  page.on("response", async (response) => {
    if (response.url().endsWith("/editor.min.js")) weights.push((await response.request().sizes()).responseBodySize);
  });
  await open(page, installPath);
  assert.deepEqual(weights, []);
  await page.getByText("Values", { exact: true }).click();
  const editor = page.locator(".editor").getByRole("textbox", { name: "Helm values as YAML" }), values = page.locator("#values");
  await editor.click();
  await page.keyboard.type("image:\n  tag: latest # newest\nname: \"a\"");
  const typed = "image:\n  tag: latest # newest\n  name: \"a\"";
  assert.ok(await eventually(async () => (await values.inputValue()) === typed), await values.inputValue());
  assert.ok(weights.length === 1 && weights[0] > 50_000 && weights[0] <= 140_000, `editor ${weights}`);
  assert.deepEqual(await page.locator(".cm-lineNumbers .cm-gutterElement:visible").allInnerTexts(), ["1", "2", "3"]);
  const colors = await editor.evaluate((content) => [...content.querySelectorAll("span")].map((part) => getComputedStyle(part).color));
  assert.ok(new Set(colors).size > 2, `colors ${colors}`);
  await checkAccessibility(page, "editor");
  await picture(page, "editor");

  await page.keyboard.press("ControlOrMeta+z");
  assert.ok(await eventually(async () => (await values.inputValue()) !== typed), "a change is undone");
  await page.keyboard.press("Tab");
  assert.equal(await editor.evaluate((content) => content.matches(":focus")), false, "Tab moves the focus");
  assert.deepEqual(page.faults, []);
  await enterText(values, "- a list");
  assert.equal(await editor.innerText(), "- a list", "what another script enters is shown");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  await page.locator("#errors").getByRole("link", { name: /values/i }).click();
  assert.equal(await editor.evaluate((content) => content.matches(":focus")), true, "the link of a problem leads to the editor");
});

test("a check without JavaScript keeps the entries", async (t) => {
  const context = await signedIn(browser, { javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await fill(page, "checked-plain");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.waitForURL(/from=check-checked-plain-/);
  await control("end-checks");
  await page.getByRole("link", { name: "Show the result" }).click();
  assert.match(await page.locator("#check").innerText(), /No problems found/);
  assert.equal(await page.getByLabel("WIKI_ADMIN_EMAIL").inputValue(), "jane@example.com");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  assert.match(page.url(), /\/tasks\/.*\/install-checked-plain-/);
});

test("a command is copied", async (t) => {
  const context = await signedIn(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await page.locator("#preview summary", { hasText: "kubectl market" }).click();
  const box = page.locator(".copyable", { hasText: "kubectl market install" });
  await box.getByRole("button", { name: "Copy" }).click();
  await box.getByRole("button", { name: "Copied" }).waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^kubectl market install /);
});

test("a command breaks at spaces", async (t) => {
  const context = await signedIn(browser, { viewport: { width: 320, height: 900 } });
  t.after(() => context.close());
  const page = await newPage(context);
  for (const path of [installPath, paths.instance, "/sources/new"]) {
    await open(page, path);
    const words = await page.locator(".command span").evaluateAll((all) => all.map((word) => ({
      text: word.textContent, broken: word.offsetHeight > 30 && word.offsetWidth < word.parentElement.parentElement.clientWidth - 26 })));
    assert.ok(words.some((word) => word.text.startsWith("-")), path);
    assert.deepEqual(words.filter((word) => word.broken), [], path);
    await checkWidth(page, path);
  }
});

test("Back after a rejected form returns to the entries", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await fill(page, "Wrong name");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  await page.locator("#errors").waitFor();
  await page.goto(site.base + paths.app);
  const response = await page.goBack();
  assert.equal(response?.status() ?? 422, 422);
  await page.locator("#errors").waitFor();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Wrong name");
  await page.getByLabel("Name", { exact: true }).fill("after-back");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  await page.waitForURL(/\/tasks\/.*\/install-after-back-/);
});

test("an app is installed and stopped without JavaScript", async (t) => {
  const context = await signedIn(browser, { javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, paths.app);
  await page.getByRole("link", { name: "Install", exact: true }).click();
  await fill(page, "without-script");
  await page.getByRole("button", { name: "Install", exact: true }).click();
  assert.match(page.url(), /\/tasks\/.*\/install-without-script-/);
  await open(page, paths["instance-running"]);
  await page.getByRole("link", { name: "Stop", exact: true }).click();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  assert.match(page.url(), /\/tasks\/.*\/stop-board-/);
});

test("an instance is configured, and its form shows the changes", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, `${paths.instance}/actions/configure`);
  assert.match(await page.locator("#values").inputValue(), /replicas: 2\n$/);
  await page.locator(".editor .cm-content").click();
  await page.keyboard.press("ControlOrMeta+End");
  for (const key of ["Backspace", "Backspace", "3"]) await page.keyboard.press(key);
  assert.match(await page.locator("#values").inputValue(), /replicas: 3$/);
  await page.getByLabel("Title", { exact: false }).first().focus();
  assert.ok(await eventually(async () => /set replicas/.test(await page.locator("#preview").innerText())), "the changes follow the form");
  await page.getByRole("button", { name: "Configure" }).click();
  await page.waitForURL(/\/tasks\/.*\/configure-wiki-/);
  assert.deepEqual(page.faults, []);
});

test("a source is added, changed and deleted", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, "/sources");
  await page.getByRole("link", { name: "Add a source" }).click();
  await page.getByLabel("Name", { exact: true }).fill("added");
  // Only the fields of the selected type are shown.
  const shownFields = () => page.locator("#location, #ref, #path, #system-version, #charts, #secret").filter({ visible: true })
    .evaluateAll((fields) => fields.map((field) => field.id));
  assert.deepEqual(await shownFields(), ["location"], "a new source is a Helm repository");
  for (const [type, label, fields] of [["Git", "URL", ["location", "ref", "path"]], ["OCI", "URL", ["location", "charts"]], ["Olares", "URL", ["location", "system-version"]],
    ["Artifact", "Object of Flux", ["location", "path"]], ["Directory", "Path", ["location"]], ["Upload", "", []], ["Helm", "URL", ["location"]]]) {
    await page.getByLabel("Type", { exact: true }).selectOption(type);
    assert.deepEqual(await shownFields(), fields, type);
    if (label) assert.equal(await page.getByRole("textbox", { name: label, exact: true }).first().getAttribute("id"), "location", type);
  }
  await page.locator("#location").fill("charts.example");
  await page.getByRole("button", { name: "Add source" }).click();
  await page.locator("#errors").getByRole("link", { name: "URL or path" }).click();
  await page.getByLabel("Type", { exact: true }).selectOption("Helm");
  assert.equal(await page.locator("#charts").isVisible(), false, "fields of other types are hidden");
  await page.locator("#location").fill("https://charts.example");
  await page.getByRole("button", { name: "Add source" }).click();
  await page.waitForURL(/\/sources\/.*\/added$/);
  await page.getByRole("link", { name: "Change", exact: true }).click();
  await page.getByText("Apps and versions").click();
  await page.getByLabel("Interval").fill("1h");
  await page.getByLabel("Include").focus();
  assert.ok(await eventually(async () => /interval: 1h/.test(await page.locator("#preview").innerText())), "the change follows the form");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/\/sources\/.*\/added$/);
  await page.getByRole("link", { name: "Delete", exact: true }).click();
  await page.getByLabel("To delete the source").fill("added");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.waitForURL(/\/sources$/);
  assert.deepEqual(page.faults.filter((each) => !/status of 422/.test(each)), []);
});

for (const javaScriptEnabled of [true, false]) {
  test(`a source is tried ${javaScriptEnabled ? "with" : "without"} JavaScript`, async (t) => {
    const context = await signedIn(browser, { javaScriptEnabled });
    t.after(() => context.close());
    const page = await newPage(context), name = `tried-source-${javaScriptEnabled ? "with" : "without"}-script`;
    await open(page, "/sources/new");
    await page.getByLabel("Name", { exact: true }).fill("tried");
    await page.locator("#location").fill("https://jane:secret@charts.example");
    await page.getByText("Apps and versions").click();
    await page.getByLabel("Interval").fill("1s");
    await page.getByRole("button", { name: "Try it" }).click();
    await page.locator("#interval-problem").getByText("at least 10s").waitFor();
    await page.locator("#location-problem").getByText("must not contain credentials").waitFor();
    assert.equal(await page.locator("#interval").getAttribute("aria-invalid"), "true");
    await picture(page, `${name}-refused`, true);
    if (javaScriptEnabled) await checkAccessibility(page, "a source that is refused");
    await page.locator("#location").fill("https://charts.example");
    await page.locator("#interval").fill("1h");
    await page.getByRole("button", { name: "Try it" }).click();
    await page.getByText("The API server accepts the source").waitFor();
    assert.equal(await page.locator("#location").inputValue(), "https://charts.example");
    await picture(page, `${name}-accepted`, true);
    if (javaScriptEnabled) await checkAccessibility(page, "a source that is accepted");
    await open(page, "/sources");
    assert.equal(await page.getByRole("link", { name: "tried", exact: true }).count(), 0, "nothing was written");
    assert.deepEqual(page.faults.filter((each) => !/status of 422/.test(each)), []);
  });
}

test("data is deleted only after the name was entered", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, `${paths["instance-running"]}/actions/uninstall`);
  await page.getByLabel("Delete the volume claims").check();
  await page.getByRole("button", { name: "Uninstall" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("To delete the data").fill("board");
  await page.getByRole("button", { name: "Uninstall" }).click();
  await page.waitForURL(/\/tasks\/.*\/uninstall-board-/);
});

test("the keyboard installs an app", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath);
  await page.getByLabel("Namespace", { exact: true }).last().focus();
  await page.keyboard.type(site.tenant);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("by-keyboard");
  await page.getByLabel("WIKI_ADMIN_EMAIL").focus();
  await page.keyboard.type("jane@example.com");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/tasks\/.*\/install-by-keyboard-/);
});

test("a form shows what it writes as YAML, commands and for git, and downloads it", async (t) => {
  for (const javaScriptEnabled of [true, false]) {
    const context = await signedIn(browser, { javaScriptEnabled, acceptDownloads: true });
    t.after(() => context.close());
    const page = await newPage(context);
    await open(page, installPath);
    const shown = () => page.locator("#preview pre:visible").allInnerTexts();
    assert.match((await shown()).join(), /^apiVersion: appmarket.io\/v1alpha1\nkind: AppInstallTask/);
    for (const [name, text] of [["kubectl", /^kubectl apply -f -/], ["kubectl market", /^kubectl market install/], ["git", /^apiVersion: .*\nkind: AppInstance/]]) {
      await page.locator("#preview summary").getByText(name, { exact: true }).click();
      const texts = await shown();
      assert.equal(texts.length, 1, "one form of the output is open");
      assert.match(texts[0], text);
    }
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#preview").getByRole("button", { name: "Download" }).click()]);
    assert.equal(download.suggestedFilename(), "appinstance.yaml");
    assert.match(page.url(), /\/install$/);
  }
});

test("a password is generated, shown and hidden", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, installPath.replace("/wiki/", "/board/"));
  const field = page.locator(".password input").first(), show = page.getByRole("button", { name: "Show", exact: true }).first();
  assert.equal(await field.getAttribute("type"), "password");
  await page.getByRole("button", { name: "Generate" }).first().click();
  const generated = await field.inputValue();
  assert.match(generated, /^[A-Za-z2-9]{24}$/);
  assert.equal(await field.getAttribute("type"), "text");
  await show.click();
  assert.equal(await field.getAttribute("type"), "password");
  assert.equal(await show.getAttribute("aria-pressed"), "false");
  await page.getByRole("button", { name: "Generate" }).first().click();
  assert.notEqual(await field.inputValue(), generated);
  assert.deepEqual(page.faults, []);
});

test("the uninstall form shows where the volume claims are for each choice", async (t) => {
  for (const javaScriptEnabled of [true, false]) {
    const context = await signedIn(browser, { javaScriptEnabled });
    t.after(() => context.close());
    const page = await newPage(context);
    await open(page, `${paths.instance}/actions/uninstall`);
    const retained = page.locator(".only-retain"), deleted = page.locator("li.only-delete");
    assert.match(await retained.first().innerText(), /PersistentVolumeClaim data-wiki-0 5Gi/);
    assert.equal(await deleted.first().isVisible(), false);
    await page.getByLabel("Delete the volume claims").check();
    assert.equal(await retained.first().isVisible(), false);
    assert.match(await deleted.first().innerText(), /PersistentVolumeClaim data-wiki-0 5Gi/);
  }
});
