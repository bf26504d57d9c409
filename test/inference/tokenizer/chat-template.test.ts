import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import type { TemplateMessage } from '../../../src/inference/contract/text-port.ts'
import { ChatTemplate } from '../../../src/inference/tokenizer/chat-template.ts'
import type { ChatSource } from '../../../src/inference/tokenizer/model-files/chat-source.ts'

const PLAIN: ChatSource = { template: null, toolTemplate: null, startToken: '<s>', endToken: '</s>', padToken: null }
const USER: TemplateMessage = { role: 'user', content: 'hi' }

function render(changes: Partial<ChatSource>, messages: readonly TemplateMessage[] = [USER], tools: readonly object[] | null = null) {
  return new ChatTemplate({ ...PLAIN, ...changes }).render({ messages, tools, addGenerationPrompt: true, settings: { name: 'you' } })
}

interface Case {
  readonly messages: readonly TemplateMessage[]
  readonly addGenerationPrompt: boolean
  readonly rendered: string
}
const SMOLLM2 = JSON.parse(await readFile(new URL('../../fixtures/chat/smollm2.json', import.meta.url), 'utf8')) as {
  readonly template: string
  readonly cases: readonly Case[]
}

it.each(SMOLLM2.cases)('writes the default model’s conversations as Jinja does', ({ messages, addGenerationPrompt, rendered }) => {
  const template = new ChatTemplate({ ...PLAIN, template: SMOLLM2.template })
  expect(template.render({ messages, tools: null, addGenerationPrompt, settings: {} })).toBe(rendered)
})

it('knows the start and end tokens, and the settings of a request', () => {
  expect(render({ template: '{{ bos_token }}{{ name }}{{ messages[0].content }}{{ eos_token }}' })).toBe('<s>youhi</s>')
})

it('lets no setting stand for the messages or the tokens', () => {
  const template = new ChatTemplate({ ...PLAIN, template: '{{ bos_token }}{{ messages[0].content }}' })
  const settings = { messages: [], bos_token: 'x', add_generation_prompt: false }
  expect(template.render({ messages: [USER], tools: null, addGenerationPrompt: true, settings })).toBe('<s>hi')
})

it('refuses with the words of the template', () => {
  const template = "{{ raise_exception('roles must alternate') }}"
  expect(() => render({ template })).toThrow(
    expect.objectContaining({ code: 'invalid_request', param: 'messages', message: expect.stringContaining('roles must alternate') })
  )
})

it.each([null, '{% if %}', '{{ messages | no_such_filter }}'])('refuses conversations where the template is %j', template => {
  expect(() => render({ template })).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'messages' }))
})

it('refuses to write without end', () => {
  expect(() =>
    render({ template: '{% for a in range(5000) %}{{ messages[0].content }}{% endfor %}' }, [{ role: 'user', content: 'x'.repeat(1000) }])
  ).toThrow('characters')
})

it('takes the template for tools where there is one and tools are offered', () => {
  const both = { template: 'plain', toolTemplate: '{{ tools[0].name }}' }
  expect(render(both)).toBe('plain')
  expect(render(both, [USER], [{ name: 'clock' }])).toBe('clock')
})

it.each([
  ['hermes', '{% if tools %}<tool_call>{{ tool_call | tojson }}</tool_call>{% endif %}'],
  ['mistral', '{% if tools %}[AVAILABLE_TOOLS]{% endif %}[TOOL_CALLS]'],
  ['llama3', `{% if tools %}Environment: ipython "parameters": {% endif %}`],
  [null, '{{ messages }}'],
  [null, '{% if tools %}{{ tools }}{% endif %}'],
  [null, '{% if tools %}<tool_call><function=name>{% endif %}'],
  [null, '{% if tools %}[TOOL_CALLS]name[ARGS]{% endif %}']
])('takes the calls to be written as %s where the template says %s', (format, template) => {
  expect(new ChatTemplate({ ...PLAIN, template }).facts?.toolCalls).toBe(format)
})

it.each(['\r\n', '\r'])('writes the same whatever the line ends of the template are (%j), and leaves those of the content', lineEnd => {
  const template = "{% for message in messages %}\n{{ message.role }}:\n  {{- message.content -}}\n\n{% endfor %}\n{{ 'a\nb' }}\n\n"
  const messages = [{ role: 'user', content: 'one\r\ntwo\rthree\n' }]
  const written = render({ template }, messages)
  expect(written).toContain('one\r\ntwo\rthree\n')
  expect(render({ template: template.replaceAll('\n', lineEnd) }, messages)).toBe(written)
  expect(render({ toolTemplate: template.replaceAll('\n', lineEnd), template: 'x' }, messages, [{}])).toBe(
    render({ template }, messages, [{}])
  )
})
