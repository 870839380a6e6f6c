// Finding and reading: search, filters, the keyboard, and what assistive technology gets.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, launch, newPage, open, paths, picture, signedIn, site } from "./support.mjs";

let browser, context, page;
before(async () => {
  browser = await launch();
  context = await signedIn(browser);
  page = await newPage(context);
});
after(() => browser.close());

const count = () => page.locator("main [aria-live]").innerText();

test("48 apps are on a page, and links lead to the others", async () => {
  await open(page, "/apps");
  assert.equal(await page.locator(".app-card").count(), 48);
  const first = await page.locator(".app-card h2").allInnerTexts();
  await page.getByRole("link", { name: "2", exact: true }).click();
  await page.waitForURL(/page=2/);
  const second = await page.locator(".app-card h2").allInnerTexts();
  assert.equal(second.length, 18);
  assert.notDeepEqual(first.slice(0, 18), second);
});

test("filters change the number of apps and the address, and Back restores them", async () => {
  await open(page, "/apps");
  assert.match(await count(), /^66 apps from 1 source$/);
  await page.locator("#filters").getByLabel(/^AI/).check();
  await page.waitForURL(/category=AI/);
  assert.match(await count(), /^15 apps/);
  await page.locator("#filters").getByLabel(/^arm64/).check();
  await page.waitForURL(/arch=arm64/);
  assert.match(await count(), /^15 apps/);
  await page.goBack();
  assert.doesNotMatch(page.url(), /arch=/);
  assert.equal(await page.locator("#filters").getByLabel(/^arm64/).isChecked(), false, "the box is as the address says");
  await page.locator(".chips").getByRole("link").first().click();
  await page.waitForURL((url) => !url.search.includes("category"));
  assert.match(await count(), /^66 apps/);
});

test("search shows results while typing, within 400 ms of the last key", async () => {
  await open(page, "/apps");
  const search = page.getByRole("searchbox", { name: "Search apps" });
  await search.pressSequentially("wik", { delay: 30 });
  await search.press("i");
  const pressed = Date.now();
  assert.ok(await eventually(async () => (await page.locator(".app-card").count()) === 1, 2000));
  const took = Date.now() - pressed;
  assert.ok(took < 400, `took ${took} ms`);
  assert.match(await page.locator(".app-card h2").innerText(), /Wiki/);
  assert.match(await count(), /^1 app /, "announced by a live region");
  assert.ok(await eventually(() => /q=wiki/.test(page.url())), "the address can be shared");
  assert.equal(await search.evaluate((field) => document.activeElement === field && field.selectionStart === 4), true, "the caret stays");
});

test("search finds a Chinese title and a developer", async () => {
  for (const [text, titles] of [["笔", ["笔记"]], ["samples ltd wiki", ["Wiki"]]]) {
    await open(page, "/apps");
    await page.getByRole("searchbox", { name: "Search apps" }).fill(text);
    assert.ok(await eventually(async () => (await page.locator(".app-card").count()) === titles.length));
    assert.deepEqual(await page.locator(".app-card h2").allInnerTexts(), titles);
  }
});

test("a README has its table, code and link", async () => {
  await open(page, paths.app);
  const readme = page.locator(".readme");
  assert.equal(await readme.locator("table tr").count(), 3);
  assert.match(await readme.locator("pre").innerText(), /replicas: 1/);
  const link = readme.getByRole("link", { name: "documentation" });
  assert.match(await link.getAttribute("rel"), /nofollow.*noreferrer|noreferrer.*nofollow/);
});

test("an app that failed shows the step and the reason", async () => {
  await open(page, paths["app-failed"]);
  const text = await page.locator("main").innerText();
  assert.match(text, /RenderFailed/);
  assert.match(text, /templates\/x\.yaml:3/);
  assert.equal(await page.getByRole("button", { name: /install/i }).count(), 0);
});

test("a task that waits shows its inputs and problems", async () => {
  await open(page, paths["task-waiting"]);
  const text = await page.locator("main").innerText();
  for (const part of [/Waiting for input/, /WIKI_ADMIN_EMAIL/, /PermissionDenied/, /Admitted[\s\S]*Resolved[\s\S]*Applied[\s\S]*Healthy/]) assert.match(text, part);
  await page.getByText("Show a manifest").click();
  assert.match(await page.locator("main").innerText(), /kind: Role/);
});

test("the objects of an instance are read as the user", async () => {
  await open(page, paths["instance-objects"]);
  await page.getByRole("row", { name: /ConfigMap/ }).getByRole("link").click();
  assert.match(await page.locator("#object").innerText(), /kind: ConfigMap/);
  await page.getByRole("row", { name: /Secret/ }).getByRole("link").click();
  assert.match(await page.locator("#object").innerText(), /You cannot get objects of kind Secret/);
});

test("the keyboard reaches everything, and the focus is visible", async () => {
  await open(page, "/apps");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  const reached = new Set();
  for (let i = 0; i < 90; i++) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const card = e.closest(".app-card");
      const style = getComputedStyle(card && e.matches("h2 a") ? card : e);
      const box = e.getBoundingClientRect();
      return { key: e.tagName + (e.getAttribute("href") ?? e.id ?? e.name), visible: style.outlineStyle !== "none" || e.matches(".skip"), inView: box.bottom > 0 && box.top < innerHeight };
    });
    if (!focus) break;
    assert.ok(focus.visible, `the focus on ${focus.key} is visible`);
    assert.ok(focus.inView, `${focus.key} is in view`);
    reached.add(focus.key);
  }
  assert.ok([...reached].some((key) => key.includes("/samples/")), "a card was reached");
  assert.ok(reached.size > 30, `${reached.size} elements were reached`);
});

test("the menu opens and closes with the keyboard", async () => {
  await open(page, "/about");
  const menu = page.locator("details.menu");
  await menu.locator("summary").focus();
  await page.keyboard.press("Enter");
  assert.equal(await menu.getByRole("button", { name: "Sign out" }).isVisible(), true);
  await page.keyboard.press("Escape");
  assert.equal(await menu.getByRole("button", { name: "Sign out" }).isVisible(), false);
});

test("assistive technology gets the structure of an instance", async () => {
  await open(page, paths.instance);
  const tree = await page.locator("body").ariaSnapshot();
  for (const part of ["banner", 'navigation "Pages"', 'navigation "Views"', "main", 'heading "Team wiki" [level=1]', 'heading "Not all objects are ready" [level=2]',
    'heading "Last operation" [level=2]', 'link "Installed"', "contentinfo", "complementary"]) {
    assert.ok(tree.includes(part), `${part} is in\n${tree}`);
  }
  assert.equal(await page.locator('[aria-current="page"]').count(), 2, "the section and the tab");
});

test("signing out ends the session", async () => {
  const other = await signedIn(browser);
  const tab = await newPage(other);
  await open(tab, "/about");
  await tab.locator("details.menu summary").click();
  await tab.getByRole("button", { name: "Sign out" }).click();
  assert.equal(tab.url(), site.base + "/login");
  await open(tab, "/about");
  assert.equal(tab.url(), site.base + "/login");
  await other.close();
});

test("apps have icons, and a letter if an icon is missing", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, "/apps");
  const widthOf = async (app) => {
    const icon = page.locator(`.tile img[src*=".${app}/"]`);
    await icon.scrollIntoViewIfNeeded();
    return eventually(() => icon.evaluate((image) => image.complete && image.naturalWidth));
  };
  assert.equal(await widthOf("app0"), 96, "an icon");
  assert.equal(await widthOf("app2"), 1, "the icon cannot be fetched, so the letter is visible");
  assert.equal(await page.locator("#app-" + paths.app.split("/")[2] + "-samples\\.app3 .tile img").count(), 0, "an app without an icon");
  await page.evaluate(() => scrollTo(0, 0));
  await picture(page, "discover-icons");
  assert.deepEqual(page.faults, []);
});
