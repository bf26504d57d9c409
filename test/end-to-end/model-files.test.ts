import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readWhole } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

/** A model with 256 rows of embedding, and a tokenizer with fewer tokens but for one, which lies beyond them. */
const EXTRA = { id: 256, content: '<|extra|>', special: true, normalized: false, lstrip: false, rstrip: false, single_word: false }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'model-files-'))
  const model = join(folder, 'model')
  for (const part of ['families/gpt2', 'tokenizer/byte-level'])
    await cp(fileURLToPath(new URL(`../fixtures/${part}`, import.meta.url)), model, { recursive: true })
  const path = join(model, 'tokenizer.json')
  const json = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...json, added_tokens: [...json.added_tokens, EXTRA] }))
})
afterAll(() => rm(folder, { recursive: true }))

function start(): Promise<Server> {
  return startServer(['--model', join(folder, 'model'), '--models-folder', folder, '--threads', '1'])
}

describe('a model whose tokenizer does not fit its embedding', () => {
  it('is served: no text and no field produces a token that it does not have', async () => {
    await using server = await start()
    expect(server.stderr.concat(server.stdout).filter(line => line.includes('WARNING'))).toEqual([
      expect.stringContaining(`1 token(s) beyond the 256 rows of the model's embedding: 256 "${EXTRA.content}"`)
    ])
    const body = { model: 'model', prompt: 'the end', max_tokens: 4, ignore_eos: true }
    const texts = [
      { prompt: `the ${EXTRA.content}${EXTRA.content} end` },
      { bad_words: [EXTRA.content] },
      { stop: [EXTRA.content] },
      { temperature: 2, max_tokens: 40 }
    ]
    for (const fields of texts) {
      const whole = await readWhole(await server.post({ ...body, ...fields, return_token_ids: true }))
      expect(whole.choices[0]?.finish_reason).toBe('length')
      expect(whole.choices[0]?.token_ids.filter(tokenId => tokenId >= 131)).toEqual([])
    }
    for (const tokenId of [131, 255, 256]) {
      for (const fields of [
        { prompt: [tokenId] },
        { logit_bias: { [tokenId]: 1 } },
        { allowed_token_ids: [tokenId] },
        { stop_token_ids: [tokenId] }
      ])
        expect((await server.post({ ...body, ...fields })).status, JSON.stringify(fields)).toBe(400)
    }
    expect(server.workerPids()).toHaveLength(1)
  }, 120_000)

  it('is served from a graph that is built again after its file was overwritten with zeros', async () => {
    await using first = await start()
    const body = { model: 'model', prompt: 'the end', max_tokens: 8, temperature: 0, ignore_eos: true }
    const { text } = (await readWhole(await first.post(body))).choices[0] ?? {}
    const graphs = join(folder, '.graphs')
    const graph = (await readdir(graphs)).find(name => name.length === 64) ?? ''
    const weights = join(graphs, graph, 'weights.bin')
    const bytes = await readFile(weights)
    await first[Symbol.asyncDispose]()
    await writeFile(weights, Buffer.from(bytes).fill(0, 0, bytes.length / 2))

    await using second = await start()
    expect(second.stderr.concat(second.stdout).join('\n')).toContain('is damaged and is built again: weights.bin has another checksum')
    expect((await readWhole(await second.post(body))).choices[0]?.text).toBe(text)
    expect(await readFile(weights)).toEqual(bytes)
  }, 120_000)
})
