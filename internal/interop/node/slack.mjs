// Slack's own libraries, against our simulated workspace and our HTTP endpoint: an app made with Bolt, and the Web API's
// client; and a judge of JSON schemas. It does what it is told, one JSON line at a time, and answers each with one.
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import bolt from '@slack/bolt';
import { ErrorCode, WebClient } from '@slack/web-api';
import { Ajv } from 'ajv';

// Standard output is for answers only.
console.log = console.info = console.debug = console.error;

const apps = [];

// handle is what the app does: it says back what it heard, in every way in which an app can.
function handle(app) {
  app.command('/mde', async ({ command, ack }) => ack({ response_type: 'ephemeral', text: `heard ${command.text}` }));
  app.action('probe', async ({ ack, body, action, client, respond }) => {
    await ack();
    if (body.message) {
      await client.chat.update({ channel: body.channel.id, ts: body.message.ts, text: `pressed ${action.value}`, blocks: [] });
      await respond({ response_type: 'ephemeral', replace_original: false, text: `thanks for ${action.value}` });
    }
  });
  const form = (text) => ({
    type: 'modal', callback_id: 'probe_view', title: { type: 'plain_text', text }, submit: { type: 'plain_text', text: 'Send' },
    blocks: [
      { type: 'input', block_id: 'why', label: { type: 'plain_text', text: 'Why' }, element: { type: 'plain_text_input', action_id: 'why' } },
      {
        type: 'input', block_id: 'which', optional: true, label: { type: 'plain_text', text: 'Which' },
        element: { type: 'external_select', action_id: 'which', min_query_length: 1 },
      },
    ],
  });
  app.shortcut('probe_shortcut', async ({ ack, shortcut, client }) => {
    await ack();
    await client.views.open({ trigger_id: shortcut.trigger_id, view: form('First') });
  });
  app.options('which', async ({ ack, options }) => {
    await ack({ options: [{ text: { type: 'plain_text', text: `${options.value}01` }, value: 'id-01' }] });
  });
  app.view('probe_view', async ({ ack, view }) => {
    const said = view.state.values.why.why.value;
    if (said === 'again') return ack({ response_action: 'errors', errors: { why: 'say why' } });
    if (said === 'more') return ack({ response_action: 'update', view: form('Second') });
    return ack();
  });
  app.event('app_home_opened', async ({ event, client }) => {
    const blocks = [{ type: 'section', text: { type: 'plain_text', text: `home of ${event.user}` } }];
    await client.views.publish({ user_id: event.user, view: { type: 'home', blocks } });
  });
  app.error(async (e) => console.error(e));
}

function signature(secret, timestamp, body) {
  return `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
}

const does = {
  // socket starts an app that connects by Socket Mode.
  async socket({ token, appToken, api }) {
    const app = new bolt.App({ token, appToken, socketMode: true, logLevel: 'error', clientOptions: { slackApiUrl: api, retryConfig: { retries: 0 } } });
    handle(app);
    apps.push(app);
    await app.start();
  },
  // http starts an app that takes signed requests, and says where.
  async http({ token, secret, api }) {
    const receiver = new bolt.HTTPReceiver({ signingSecret: secret, logLevel: 'error' });
    const app = new bolt.App({ token, receiver, logLevel: 'error', clientOptions: { slackApiUrl: api, retryConfig: { retries: 0 } } });
    handle(app);
    apps.push(app);
    const server = await app.start({ port: 0, host: '127.0.0.1' });
    return { url: `http://127.0.0.1:${server.address().port}/slack/events` };
  },
  // call calls a method of the Web API by its name.
  async call({ token, api, method, args }) {
    const client = new WebClient(token, { slackApiUrl: api, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true, logLevel: 'error' });
    try {
      return await client.apiCall(method, args);
    } catch (e) {
      if (e.code === ErrorCode.PlatformError) return e.data;
      if (e.code === ErrorCode.RateLimitedError) return { ok: false, error: 'ratelimited', retryAfter: e.retryAfter };
      throw e;
    }
  },
  // upload shares a text as a file, in the steps that Slack has for it.
  async upload({ token, api, args }) {
    const client = new WebClient(token, { slackApiUrl: api, retryConfig: { retries: 0 }, logLevel: 'error' });
    return client.files.uploadV2(args);
  },
  // post signs a request, which Bolt has to take for Slack's, and sends it.
  async post({ url, secret, age, type, body }) {
    const timestamp = Math.floor(Date.now() / 1000) - age;
    const signed = signature(secret, timestamp, body);
    const headers = { 'x-slack-signature': signed, 'x-slack-request-timestamp': timestamp };
    const genuine = bolt.isValidSlackRequest({ signingSecret: secret, body, headers });
    const res = await fetch(url, { method: 'POST', body, headers: { ...headers, 'content-type': type } });
    return { genuine, status: res.status, body: await res.text() };
  },
  // schema says what is wrong with a value by a JSON schema.
  async schema({ file, value }) {
    const check = new Ajv({ allErrors: true, strict: false }).compile(JSON.parse(await readFile(file, 'utf8')));
    check(value);
    return { wrong: (check.errors ?? []).map((e) => `${e.instancePath} ${e.message}`) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, ...order } = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await does[what](order)) ?? {} };
  } catch (e) {
    answer = { failed: String(e?.stack ?? e) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
await Promise.allSettled(apps.map((app) => app.stop()));
process.exit(0);
