import type { UploadList } from '@relaypacs/core/contract/uploads.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { ApiClient } from './support/api-client.js';
import { chromiumLaunchOptions } from './support/chromium.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

const PASSWORD = 'Correct-horse-7-battery';
let hospital: TestSandbox;
let archive: TestSandbox;
let stack: Stack;
let browser: Browser;
let admin: ApiClient;
/** A clinician's page, and what the API tells the same person. */
let clinician: Page;
let told: ApiClient;
let adminPage: Page;

beforeAll(async () => {
  // Refuses images without a Patient ID.
  [hospital, archive] = await Promise.all([
    TestSandbox.start({ personality: 'dcm4chee' }),
    TestSandbox.start(),
  ]);
  const env = {
    PACS_URL: hospital.url,
    PACS_NAME: 'Hospital PACS',
    PACS_TARGETS: 'archive',
    PACS_ARCHIVE_URL: archive.url,
    PACS_ARCHIVE_NAME: 'Regional Archive',
    PACS_CHOICES: 'default, archive',
    PACS_RULES: JSON.stringify([{ facility: 'Hill Clinic', target: 'archive' }]),
  };
  [stack, browser] = await Promise.all([startStack({ env }), chromium.launch(chromiumLaunchOptions())]);
  admin = await ApiClient.signUp(stack.baseUrl);
  clinician = await newPage(360);
  await register(clinician, 'hill', 'Hill Clinic');
  told = ApiClient.anonymous(stack.baseUrl);
  const login = await told.post('/api/v1/auth/login', { username: 'hill', password: PASSWORD });
  told.token = String(login.body.accessToken);
  adminPage = await newPage(1280);
  await signIn(adminPage, admin.username);
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await Promise.all([hospital?.stop(), archive?.stop()]);
});

async function newPage(width: number): Promise<Page> {
  return (await browser.newContext({ viewport: { width, height: 800 } })).newPage();
}

const atHome = (page: Page) => page.getByRole('heading', { name: /send/i }).first().waitFor();

async function register(page: Page, username: string, facility: string): Promise<void> {
  await page.goto(`${stack.baseUrl}/register`);
  await page.getByLabel('Email').fill(`${username}@example.org`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Facility').fill(facility);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: /create/i }).click();
  await atHome(page);
}

async function signIn(page: Page, username: string): Promise<void> {
  await page.goto(`${stack.baseUrl}/sign-in`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: /sign in/i }).click();
  await atHome(page);
}

async function send(page: Page, files: readonly Uint8Array[]): Promise<void> {
  await page.getByRole('link', { name: 'Send', exact: true }).click();
  const picked = files.map((file, i) => ({ name: `I${i}`, mimeType: '', buffer: Buffer.from(file) }));
  await page.getByTestId('pick-files').setInputFiles(picked);
  await page.getByLabel('Send to').waitFor();
}

/** Sends what was picked, and opens the page of the upload once that has come to `status`. */
async function sendNow(page: Page, patientName: string, status: 'delivered' | 'failed'): Promise<void> {
  await page.getByRole('button', { name: /^Send 1 study/ }).click();
  const query = `/api/v1/uploads?status=${status}&q=${encodeURIComponent(patientName)}`;
  const find = async () => (await told.get<UploadList>(query)).body.items[0]?.id;
  await expect.poll(find, { timeout: 60_000 }).toBeDefined();
  await page.goto(`${stack.baseUrl}/uploads/${await find()}`);
}

const holds = async (sandbox: TestSandbox, { studyInstanceUid }: { studyInstanceUid: string }) => {
  const answer = await sandbox.get(`/studies/${studyInstanceUid}/instances`);
  return answer.status === 200 ? ((await answer.json()) as unknown[]).length : 0;
};

/** That a page fits its width, and every control a finger. */
async function expectUsable(page: Page): Promise<void> {
  const { wide, small } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    small: [...document.querySelectorAll('main button, main select, main .input, dialog button')]
      .map((element) => ({ element, height: element.getBoundingClientRect().height }))
      // What is hidden has no height.
      .filter(({ height }) => height > 0 && height < 43.5)
      .map(({ element }) => element.outerHTML),
  }));
  expect({ wide, small }).toEqual({ wide: false, small: [] });
}

describe('a clinician', () => {
  it('has studies go where those of the facility go, unless another PACS is chosen', async () => {
    const byRule = makeStudy(1, { patientName: 'Rule^Ruth' });
    const chosen = makeStudy(1, { patientName: 'Choice^Charles' });
    await send(clinician, byRule.files);
    await expectUsable(clinician);
    await sendNow(clinician, 'Rule', 'delivered');
    await clinician.getByText('Regional Archive').waitFor();
    await send(clinician, chosen.files);
    await clinician.getByLabel('Send to').selectOption({ label: 'Hospital PACS' });
    await sendNow(clinician, 'Choice', 'delivered');
    await clinician.getByText('Hospital PACS').waitFor();
    expect([await holds(archive, byRule), await holds(hospital, byRule)]).toEqual([1, 0]);
    expect([await holds(archive, chosen), await holds(hospital, chosen)]).toEqual([0, 1]);
    expect(await clinician.getByRole('heading', { name: 'Send again' }).count()).toBe(0);
  });

  it('adds the patient ID the PACS wants, and the study arrives', async () => {
    const studyInstanceUid = newUid();
    const file = buildDicom({ patientName: 'Without^Id', studyInstanceUid, omit: [TAG.patientId] });
    await send(clinician, [file]);
    await clinician.getByLabel('Send to').selectOption({ label: 'Hospital PACS' });
    await sendNow(clinician, 'Without', 'failed');
    await clinician
      .getByText(/refuses images without a patient ID\. Add it and send again\./)
      .first()
      .waitFor();
    const save = clinician.getByRole('button', { name: 'Save and send again' });
    await save.click();
    await clinician.getByText('Enter the patient ID.').waitFor();
    const field = clinician.getByLabel('Patient ID');
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await field.fill('A\\B');
    await save.click();
    await clinician.getByText('A patient ID cannot have a backslash.').waitFor();
    await expectUsable(clinician);
    await field.fill('P-4711');
    // By the keyboard alone.
    await field.press('Enter');
    await clinician.getByText('Delivered, 1 of 1 confirmed').first().waitFor({ timeout: 60_000 });
    await clinician.getByText(/ID P-4711/).waitFor();
    await clinician.getByText('What was entered was corrected').waitFor();
    expect(await holds(hospital, { studyInstanceUid })).toBe(1);
  });
});

describe('an administrator', () => {
  it('sends a delivered study again, and to another PACS, after a question', async () => {
    const [one, two] = [makeStudy(2), makeStudy(1, { studyDescription: 'Knee' })];
    const id = await admin.send([...one.files, ...two.files]);
    await admin.waitFor(id, ({ status }) => status === 'delivered', 60_000);
    const page = adminPage;
    await page.goto(`${stack.baseUrl}/uploads/${id}`);
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByRole('dialog').getByText('sends both studies to Hospital PACS once more').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Send to another PACS' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Which study').selectOption({ index: 2 });
    await dialog.getByText('sends the study to Regional Archive').waitFor();
    await dialog.getByRole('button', { name: 'Send to Regional Archive' }).click();
    await page.getByText('Begun, to Regional Archive.').waitFor();
    await page.getByText(/, sent there as well: delivered, 1 of 1 confirmed/).waitFor({ timeout: 30_000 });
    await page.getByText('Sent again to Regional Archive by an administrator').waitFor();
    await page.getByText('Delivered, 3 of 3 confirmed').first().waitFor();
    expect([await holds(archive, one), await holds(archive, two)]).toEqual([0, 1]);
  });

  it('redirects a study whose PACS stays away, and reads why when that is not possible', async () => {
    for (const pacs of [archive, hospital]) await pacs.putFaults({ kind: 'refuse', on: 'any' });
    const study = makeStudy(1);
    const id = await admin.send(study.files, { target: 'archive' });
    await admin.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs', 60_000);
    const page = adminPage;
    await page.goto(`${stack.baseUrl}/uploads/${id}`);
    await page.getByRole('button', { name: 'Send to another PACS' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('sends the study to Hospital PACS').waitFor();
    // Somebody else is quicker.
    await admin.post(`/api/v1/uploads/${id}/resend`, { target: 'default' });
    await dialog.getByRole('button', { name: 'Send to Hospital PACS' }).click();
    await page.getByText(/is on its way to Hospital PACS\. .* Nothing was changed\./).waitFor();
    await archive.deleteFaults();
    await page.getByRole('button', { name: 'Send to another PACS' }).click();
    await dialog.getByRole('button', { name: 'Send to Regional Archive' }).click();
    await page.getByText('Delivered, 1 of 1 confirmed').first().waitFor({ timeout: 60_000 });
    expect(await holds(archive, study)).toBe(1);
    await hospital.deleteFaults();
  });
});
