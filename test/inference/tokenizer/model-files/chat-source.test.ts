import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { chatSourceOfFolder, chatSourceOfGguf } from '../../../../src/inference/tokenizer/model-files/chat-source.ts'

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'chat-source-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
  return folder
}

it('reads a checkpoint’s template and tokens', async () => {
  const config = { chat_template: 'one', bos_token: { content: '<s>', lstrip: false }, eos_token: '</s>' }
  const source = await chatSourceOfFolder(await folderOf({ 'tokenizer_config.json': JSON.stringify(config) }))
  expect(source).toEqual({ template: 'one', toolTemplate: null, startToken: '<s>', endToken: '</s>', padToken: null })
})

it('reads named templates', async () => {
  const chat_template = [
    { name: 'default', template: 'one' },
    { name: 'tool_use', template: 'two' }
  ]
  const source = await chatSourceOfFolder(await folderOf({ 'tokenizer_config.json': JSON.stringify({ chat_template }) }))
  expect(source).toMatchObject({ template: 'one', toolTemplate: 'two' })
})

it('prefers chat_template.jinja', async () => {
  const files = { 'tokenizer_config.json': JSON.stringify({ chat_template: 'one' }), 'chat_template.jinja': 'file' }
  expect(await chatSourceOfFolder(await folderOf(files))).toMatchObject({ template: 'file', toolTemplate: null })
})

it('has no template in an empty folder, and refuses a malformed file', async () => {
  expect(await chatSourceOfFolder(await folderOf({}))).toMatchObject({ template: null, startToken: null })
  await expect(chatSourceOfFolder(await folderOf({ 'tokenizer_config.json': '{"chat_template": 5}' }))).rejects.toMatchObject({
    code: 'unavailable'
  })
})

it('reads a GGUF file’s keys', () => {
  const metadata = new Map<string, unknown>([
    ['tokenizer.ggml.tokens', ['<s>', '</s>', 'a']],
    ['tokenizer.ggml.bos_token_id', 0],
    ['tokenizer.ggml.eos_token_id', 1n],
    ['tokenizer.ggml.padding_token_id', 9],
    ['tokenizer.chat_template', 'one'],
    ['tokenizer.chat_template.tool_use', 'two']
  ])
  expect(chatSourceOfGguf(metadata)).toEqual({ template: 'one', toolTemplate: 'two', startToken: '<s>', endToken: '</s>', padToken: null })
})
