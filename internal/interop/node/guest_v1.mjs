// The TypeScript SDK's first major version.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { serve } from './guest.mjs';

const options = JSON.parse(process.env.GUEST);
await serve(options, async (capabilities, person) => {
  const client = new Client({ name: 'guest-v1', version: '1' }, { capabilities });
  if (person) client.setRequestHandler(ElicitRequestSchema, person);
  const { url, command, env } = options;
  await client.connect(url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport({ command, env }));
  return client;
});
