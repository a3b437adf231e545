// A guest is an MCP client of the official TypeScript SDK: it does what it is told, one JSON line at a time, and answers
// with one. GUEST in the environment says how to reach the server and what its person says to questions.
import { createInterface } from 'node:readline';

export async function serve(options, connect) {
  let asked = 0;
  const person = async () => {
    asked++;
    return options.elicit === 'accept' ? { action: 'accept', content: { confirm: true } } : { action: 'decline' };
  };
  const capabilities = options.elicit === 'none' ? {} : { elicitation: { form: {} } };
  const client = await connect(capabilities, options.elicit === 'none' ? undefined : person);
  const does = {
    hello: async () => ({ version: client.getNegotiatedProtocolVersion?.() ?? '', server: client.getServerVersion()?.name }),
    tools: async () => ({ names: (await client.listTools()).tools.map((t) => t.name) }),
    call: async ({ name, args }) => {
      const res = await client.callTool({ name, arguments: args });
      return { refused: res.isError === true, text: res.content.map((c) => c.text ?? '').join('\n'), data: res.structuredContent, asked };
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    let answer;
    try {
      answer = await does[order.do](order);
    } catch (e) {
      answer = { error: String(e) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  await client.close();
}
