// Pages that are updated while they are open.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, control, eventually, launch, newPage, open, paths, picture, signedIn, site } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const liveText = (page) => page.locator("#live").innerText();
const isLive = (page) => eventually(async () => (await liveText(page)) === "Live", 8000);

async function openLive(t, path) {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, path);
  assert.ok(await isLive(page), "the page is live");
  return page;
}

test("a change of the cluster is shown within 2 s", async (t) => {
  const page = await openLive(t, paths.instance);
  const times = [];
  for (const text of ["first change", "second change", "third change"]) {
    const at = Date.now();
    await control("message", { text });
    assert.ok(await eventually(async () => (await page.locator("#part").innerText()).includes(text), 5000), text);
    times.push(Date.now() - at);
    await page.waitForTimeout(1000);
  }
  t.diagnostic(`shown after ${times.join(", ")} ms`);
  assert.ok(Math.max(...times) < 2000, times.join());
  assert.deepEqual(page.faults, []);
});

test("a list changes in place, and open parts stay open", async (t) => {
  const page = await openLive(t, "/instances");
  const row = page.getByRole("row", { name: /Team wiki/ });
  const handle = await row.elementHandle();
  await control("message", { text: "changed in the list" });
  assert.ok(await eventually(async () => (await row.innerText()).includes("changed in the list")));
  assert.equal(await handle.evaluate((element) => element.isConnected), true, "the row is the same element");
});

test("typed text, caret and focus stay while the list changes", async (t) => {
  const page = await openLive(t, "/apps");
  const search = page.getByRole("searchbox", { name: "Search apps" });
  await search.fill("no");
  await search.evaluate((field) => field.setSelectionRange(1, 1));
  for (let i = 0; i < 10; i++) {
    await control("update", { text: `text ${i}` });
    await page.waitForTimeout(300);
  }
  assert.ok(await eventually(async () => (await page.locator("#part").innerText()).includes("text 9"), 6000));
  assert.deepEqual(await search.evaluate((field) => [field.value, field.selectionStart, document.activeElement === field]), ["no", 1, true]);
});

test("selected text is not replaced", async (t) => {
  const page = await openLive(t, paths.instance);
  await control("message", { text: "before the selection" });
  assert.ok(await eventually(async () => (await page.locator("#part").innerText()).includes("before the selection")));
  await page.evaluate(() => getSelection().selectAllChildren([...document.querySelectorAll("#part .trouble p")].find((each) => each.textContent === "before the selection")));
  await control("message", { text: "after the selection" });
  await page.waitForTimeout(2500);
  assert.equal(await page.evaluate(() => getSelection().toString().trim()), "before the selection");
  await page.evaluate(() => getSelection().removeAllRanges());
  assert.ok(await eventually(async () => (await page.locator("#part").innerText()).includes("after the selection")), "it is read again later");
});

test("a broken stream is shown, and nothing is lost", async (t) => {
  const page = await openLive(t, paths.instance);
  await page.context().setOffline(true);
  await control("disconnect");
  const at = Date.now();
  assert.ok(await eventually(async () => (await liveText(page)).startsWith("Not live, last update"), 14000));
  t.diagnostic(`not live after ${Date.now() - at} ms`);
  assert.ok(Date.now() - at < 12500);
  await control("message", { text: "while it was not live" });
  await page.context().setOffline(false);
  const back = Date.now();
  assert.ok(await eventually(async () => (await page.locator("#part").innerText()).includes("while it was not live"), 40000));
  t.diagnostic(`shown ${Date.now() - back} ms after the return`);
  assert.ok(await isLive(page));
});

test("eight tabs of one session load, and the fifth displaces the first", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const tabs = [];
  for (let i = 0; i < 8; i++) {
    const page = await newPage(context);
    const response = await page.goto(site.base + paths.instance, { waitUntil: "load", timeout: 10000 });
    assert.equal(response.status(), 200);
    tabs.push(page);
  }
  assert.ok(await isLive(tabs[7]), "the last tab is live");
  const first = tabs[0];
  assert.ok(await eventually(async () => (await liveText(first)).includes("Resume here"), 5000), await liveText(first));
  await first.getByRole("button", { name: "Resume here" }).click();
  assert.ok(await isLive(first));
});

test("a log is followed", async () => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  await open(page, `${paths.instance}/logs`);
  assert.match(await page.locator("pre.log").innerText(), /started web/);
  await page.getByLabel("Container", { exact: true }).selectOption("proxy");
  await page.waitForURL(/container=proxy/);
  await page.getByRole("link", { name: "Follow", exact: true }).click();
  const log = page.getByRole("region", { name: "Log" });
  assert.ok(await eventually(async () => /started proxy/.test(await log.innerText())), "the end of the log is shown");
  await control("log", { text: "a new line <b>x</b>" });
  assert.ok(await eventually(async () => /a new line <b>x<\/b>/.test(await log.innerText())), "new lines are appended as text");
  assert.equal(await page.locator("#log-state").innerText(), "Following");
  await checkAccessibility(page, "a followed log");
  await picture(page, "instance-log-followed");
  await control("message", { text: "changed while a log is followed" });
  await page.waitForTimeout(2500);
  assert.match(await log.innerText(), /a new line/, "an update of the page keeps the log");
  assert.deepEqual(page.faults, []);
  await context.close();
});
