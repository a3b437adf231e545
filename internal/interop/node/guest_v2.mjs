// The TypeScript SDK's second major version, in the protocol era that options.era says: legacy or auto.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { serve } from './guest.mjs';

const options = JSON.parse(process.env.GUEST);
await serve(options, async (capabilities, person) => {
  const client = new Client({ name: 'guest-v2', version: '1' }, { capabilities, versionNegotiation: { mode: options.era } });
  if (person) client.setRequestHandler('elicitation/create', person);
  const { url, command, env } = options;
  await client.connect(url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport({ command, env }));
  return client;
});
