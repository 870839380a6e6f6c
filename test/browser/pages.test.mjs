// Every page in each size and color scheme: no errors, no violation of the policy, nothing wider
// than the window, nothing that axe finds.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, checkWidth, launch, newPage, open, paths, picture, signedIn, site, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** Status codes of the pages that are errors. */
const statuses = { "not-found": 404, forbidden: 403, "namespace-forbidden": 403 };

for (const variant of variants) {
  test(`pages at ${variant.width} px, ${variant.colorScheme}, ${variant.locale}`, async (t) => {
    const context = await signedIn(browser, variant.options);
    const page = await newPage(context);
    for (const [name, path] of Object.entries(paths)) {
      await t.test(name, async () => {
        page.faults.length = 0;
        const response = await open(page, path);
        assert.equal(response.status(), statuses[name] ?? 200);
        await picture(page, `${name}-${variant.suffix}`);
        await checkWidth(page, name);
        await checkAccessibility(page, name);
        assert.deepEqual(page.faults.filter((each) => !/status of (403|404)/.test(each)), []);
        assert.match(await page.title(), /^.+ · AppMarket$/);
        assert.equal(await page.locator("html").getAttribute("lang"), variant.words.lang);
        assert.equal(await page.locator("h1").count(), 1, "one heading of level 1");
      });
    }
    await context.close();
  });
}

test("the sign-in page", async (t) => {
  for (const variant of variants) {
    await t.test(`${variant.width} px, ${variant.colorScheme}, ${variant.locale}`, async () => {
      const context = await signedIn(browser, variant.options, []);
      const page = await newPage(context);
      await open(page, "/apps");
      assert.equal(page.url(), site.base + "/login");
      await picture(page, `login-${variant.suffix}`);
      await checkWidth(page, "login");
      await checkAccessibility(page, "login");
      await page.getByLabel(variant.words.token).fill("x");
      await page.getByRole("button", { name: variant.words.signIn }).click();
      await page.getByRole("alert").waitFor();
      await picture(page, `login-refused-${variant.suffix}`);
      await checkAccessibility(page, "login refused");
      await context.close();
    });
  }
});

test("a user selects the language before signing in", async (t) => {
  const context = await signedIn(browser, { locale: "zh-CN" }, []);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, "/login");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  await page.getByRole("button", { name: "中文" }).click();
  await page.getByRole("button", { name: "登录" }).waitFor();
  assert.deepEqual(page.faults, []);
});

test("the texts of the script have the language of the page", async (t) => {
  const context = await signedIn(browser, { locale: "zh-CN" });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, paths.instance);
  await page.locator("#live").getByText("实时").waitFor();
  const lineHeight = (selector) => page.locator(selector).first().evaluate((each) => parseFloat(getComputedStyle(each).lineHeight) / parseFloat(getComputedStyle(each).fontSize));
  assert.equal(Math.round(await lineHeight("main p") * 10) / 10, 1.7);
  assert.equal(Math.round(await lineHeight("h1") * 10) / 10, 1.3);
});

test("pages at 320 px and at a zoom of 200 % have no horizontal scroll bar", async (t) => {
  for (const [why, options] of Object.entries({
    "320 px": { viewport: { width: 320, height: 640 } },
    "200 %": { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 },
  })) {
    const context = await signedIn(browser, options);
    const page = await newPage(context);
    for (const [name, path] of Object.entries(paths)) {
      await t.test(`${name} at ${why}`, async () => {
        await open(page, path);
        await checkWidth(page, name);
      });
    }
    await context.close();
  }
});

test("pages show the same without JavaScript", async (t) => {
  const withScript = await signedIn(browser);
  const without = await signedIn(browser, { javaScriptEnabled: false });
  const [one, other] = [await newPage(withScript), await newPage(without)];
  const text = (page) => page.locator("main").innerText();
  // Without a script, forms have a button, texts have none that copies them, and ages may have moved on. Each form that
  // is opened proposes another name for its task.
  const plain = (value) => value.replace(/^(Apply|Show|Go|Copy)$/gm, "").replace(/\b(upgrade-[a-z0-9-]+)-[a-z0-9]{5}\b/g, "$1").replace(/--run-id \S+/g, "").replace(/\d+ (minute|second)s? ago|just now/g, "").replace(/\s+/g, " ").trim();
  for (const [name, path] of Object.entries(paths)) {
    if (name === "instance-terminal") continue; // terminal.test.mjs reads it without a script.
    await t.test(name, async () => {
      await open(one, path);
      await open(other, path);
      assert.equal(plain(await text(other)), plain(await text(one)));
      assert.ok((await text(other)).length > 20);
    });
  }
  await t.test("the filters are forms", async () => {
    await open(other, "/apps");
    await other.locator("#filters").getByLabel(/^AI/).check();
    await other.locator("#filters").getByRole("button", { name: "Apply" }).click();
    assert.match(other.url(), /category=AI/);
    assert.match(await text(other), /15 apps/);
    await other.getByRole("searchbox", { name: "Search apps" }).fill("wiki");
    await other.keyboard.press("Enter");
    await other.waitForURL(/\/apps\?q=wiki/);
    await open(other, "/instances");
    await other.getByLabel("State").selectOption("running");
    await other.locator("main").getByRole("button", { name: "Show" }).click();
    assert.match(other.url(), /state=running/);
  });
  await withScript.close();
  await without.close();
});

test("texts of charts are inert", async () => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  for (const name of ["discover", "app", "app-hostile", "app-values", "instance", "instance-object", "installed"]) {
    await open(page, paths[name]);
    await page.waitForTimeout(200);
    assert.doesNotMatch(await page.title(), /hacked/);
  }
  assert.deepEqual(page.faults, []);
  await context.close();
});

test("motion, forced colors and print", async () => {
  const context = await signedIn(browser, { reducedMotion: "reduce", forcedColors: "active" });
  const page = await newPage(context);
  await open(page, paths["task-waiting"]);
  const moving = await page.evaluate(() => document.getAnimations().filter((each) => each.playState === "running").length);
  assert.equal(moving, 0, "reduced motion");
  const border = await page.locator(".badge").first().evaluate((badge) => getComputedStyle(badge).borderTopStyle);
  assert.equal(border, "solid", "a badge has a border in forced colors");
  await picture(page, "task-waiting-forced-colors");
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("header.top").isVisible(), false, "the header is not printed");
  assert.equal(await page.locator("h1").isVisible(), true);
  await context.close();
});
