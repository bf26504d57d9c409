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

it.each(SMOLLM2.cases)('renders conversations of the default model as Jinja does', ({ messages, addGenerationPrompt, rendered }) => {
  const template = new ChatTemplate({ ...PLAIN, template: SMOLLM2.template })
  expect(template.render({ messages, tools: null, addGenerationPrompt, settings: {} })).toBe(rendered)
})

it('passes start and end token and the settings of a request to the template', () => {
  expect(render({ template: '{{ bos_token }}{{ name }}{{ messages[0].content }}{{ eos_token }}' })).toBe('<s>youhi</s>')
})

it('does not let settings replace messages or tokens', () => {
  const template = new ChatTemplate({ ...PLAIN, template: '{{ bos_token }}{{ messages[0].content }}' })
  const settings = { messages: [], bos_token: 'x', add_generation_prompt: false }
  expect(template.render({ messages: [USER], tools: null, addGenerationPrompt: true, settings })).toBe('<s>hi')
})

it('rejects with the error message of the template', () => {
  const template = "{{ raise_exception('roles must alternate') }}"
  expect(() => render({ template })).toThrow(
    expect.objectContaining({ code: 'invalid_request', param: 'messages', message: expect.stringContaining('roles must alternate') })
  )
})

it.each([null, '{% if %}', '{{ messages | no_such_filter }}'])('rejects conversations when the template is %j', template => {
  expect(() => render({ template })).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'messages' }))
})

it('bounds the length of the output', () => {
  expect(() =>
    render({ template: '{% for a in range(5000) %}{{ messages[0].content }}{% endfor %}' }, [{ role: 'user', content: 'x'.repeat(1000) }])
  ).toThrow('characters')
})

it('uses the tool template when there is one and the request has tools', () => {
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
])('detects the tool call format %s in the template %s', (format, template) => {
  expect(new ChatTemplate({ ...PLAIN, template }).facts?.toolCalls).toBe(format)
})

it.each(['\r\n', '\r'])('normalizes line ends of the template (%j) but not of the content', lineEnd => {
  const template = "{% for message in messages %}\n{{ message.role }}:\n  {{- message.content -}}\n\n{% endfor %}\n{{ 'a\nb' }}\n\n"
  const messages = [{ role: 'user', content: 'one\r\ntwo\rthree\n' }]
  const written = render({ template }, messages)
  expect(written).toContain('one\r\ntwo\rthree\n')
  expect(render({ template: template.replaceAll('\n', lineEnd) }, messages)).toBe(written)
  expect(render({ toolTemplate: template.replaceAll('\n', lineEnd), template: 'x' }, messages, [{}])).toBe(
    render({ template }, messages, [{}])
  )
})
