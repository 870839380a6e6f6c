// The pages for signing in at an issuer and behind a proxy, and for signing out, in each size and color scheme.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, checkWidth, launch, newPage, picture, site, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** The pages of each server, with the status and a text of each. A POST request is sent by a form. */
const pages = [
  { name: "issuer-login", server: "issuer", path: "/login", text: /^Sign in at \S+$/ },
  { name: "issuer-refused", server: "issuer", path: "/login/callback?state=x&code=x", status: 400, alert: true },
  { name: "issuer-signed-out", server: "issuer", path: "/logout", post: true, text: /^Sign in again$/ },
  { name: "proxy-login", server: "proxy", path: "/login", text: /^Try again$/ },
  { name: "proxy-refused", server: "proxy", path: "/apps", status: 401, alert: true },
  { name: "proxy-signed-out", server: "proxy", path: "/logout", post: true, text: /^Sign out at the proxy$/ },
];

/** Opens a page, by a form for a POST request, and returns the response. */
async function openPage(page, base, { path, post }) {
  if (!post) return page.goto(base + path, { waitUntil: "load" });
  // The page after signing out sends the browser on to the issuer. Without the header, it stays.
  await page.route("**" + path, async (route) => {
    const response = await route.fetch({ headers: { ...route.request().headers(), "sec-fetch-site": "same-origin" } });
    const headers = Object.entries(response.headers()).filter(([name]) => !["refresh", "content-encoding", "content-length"].includes(name));
    await route.fulfill({ response, headers: Object.fromEntries(headers) });
  });
  await page.goto(base + "/login", { waitUntil: "load" });
  const [response] = await Promise.all([
    page.waitForNavigation({ waitUntil: "load" }),
    page.evaluate((action) => {
      const form = document.createElement("form");
      Object.assign(form, { action, method: "post" });
      document.body.append(form);
      form.submit();
    }, path),
  ]);
  return response;
}

for (const variant of variants) {
  test(`pages for signing in, ${variant.suffix}`, async (t) => {
    for (const each of pages) {
      await t.test(each.name, async () => {
        const base = site.signIn[each.server];
        const context = await browser.newContext({ ...variant.options, reducedMotion: "reduce" });
        const page = await newPage(context, base);
        const response = await openPage(page, base, each);
        assert.equal(response.status(), each.status ?? 200);
        await picture(page, `${each.name}-${variant.suffix}`);
        await checkWidth(page, each.name);
        await checkAccessibility(page, each.name);
        assert.equal(await page.locator("h1").count(), 1);
        assert.equal(await page.locator("html").getAttribute("lang"), variant.words.lang);
        if (each.text && variant.words.lang === "en") assert.equal(await page.getByRole("link", { name: each.text }).isVisible(), true);
        if (each.alert) assert.ok((await page.getByRole("alert").innerText()).length > 10, "the page says why");
        assert.deepEqual(page.faults.filter((fault) => !/status of (400|401)/.test(fault)), []);
        await context.close();
      });
    }
  });
}

test("signing in is possible with the keyboard", async () => {
  const context = await browser.newContext();
  const page = await newPage(context, site.signIn.issuer);
  await page.goto(site.signIn.issuer + "/login");
  for (let i = 0; i < 10; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.getAttribute("href")) === "/login/oidc") break;
  }
  const outline = await page.evaluate(() => [document.activeElement.getAttribute("href"), getComputedStyle(document.activeElement).outlineStyle]);
  assert.deepEqual(outline, ["/login/oidc", "solid"]);
  await context.close();
});
