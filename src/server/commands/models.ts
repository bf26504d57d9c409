import { basename, resolve } from 'node:path'
import { checkPrepared } from '../../inference/model/prepare-model.ts'
import { ExitError } from '../config/exit-error.ts'
import { graphsFolder } from '../config/load-config.ts'
import { nearest } from '../config/nearest.ts'
import { networkSettings } from '../config/network-settings.ts'
import { OPTIONS } from '../config/options.ts'
import { parseOptions, unexpectedArguments } from '../config/parse-options.ts'
import { type CatalogModel, modelPath, readCatalog } from '../download/catalog.ts'
import { checkFile } from '../download/checksum.ts'
import { fetchModel } from '../download/fetch-model.ts'
import { megabytes, type Reporter } from '../download/reporter.ts'
import type { Command } from './command.ts'
import { inspectModel } from './inspect-model.ts'

const ACTIONS = ['list', 'pull', 'verify', 'inspect'] as const
const NEVER = new AbortController().signal

/** Lists, downloads, verifies and describes models. */
export const modelsCommand: Command = {
  name: 'models',
  usage: 'list | pull <name> | verify [name] | inspect [name|path]',
  summary: 'List, download, verify or describe models.',
  details: [
    'list            list the models of the catalogue with size, licence and local state',
    'pull <name>     download a model now instead of at the first start; resumes an interrupted download',
    'verify [name]   verify the checksums of one or all downloaded models and of the prepared graphs',
    'inspect [model] show family, size, context, memory and tokenizer of a model, each with its source;',
    '                takes a name, a .gguf file or a folder (default: the default model)'
  ],
  options: ['modelsFolder', 'quantization', 'cacheType'],

  async run(argv, { environment, reporter }) {
    const { values, positionals, mistakes } = parseOptions(modelsCommand.options, argv, environment)
    const [action, name, ...rest] = positionals
    const wrong = [...mistakes, ...misuse(action, name, rest)]
    if (wrong.length > 0) throw new ExitError(2, wrong.join('\n'))

    const modelsFolder = resolve(values.modelsFolder)
    if (action === 'inspect') {
      const model = name ?? OPTIONS.model.fallback
      const { quantization, cacheType } = values
      return await inspectModel({ model, modelsFolder, quantization, cacheType }, reporter)
    }
    const catalog = await readCatalog()
    if (action === 'list') return await list(catalog, modelsFolder, reporter)
    const chosen = name === undefined ? catalog : [find(catalog, name)]
    if (action === 'verify') return await verify(chosen, name !== undefined, modelsFolder, reporter)
    const network = networkSettings(environment)
    for (const model of chosen) {
      const path = await fetchModel(model, { modelsFolder, network, reporter, signal: NEVER })
      reporter.line(`ready: ${path}`)
    }
  }
}

function misuse(action: string | undefined, name: string | undefined, rest: readonly string[]): string[] {
  if (action === undefined) return ['models needs an action: list, pull <name>, verify [name] or inspect [model]']
  if (!ACTIONS.some(known => known === action)) {
    const guess = nearest(action, ACTIONS)
    return [
      `unknown action ${JSON.stringify(action)} of models: ${guess === null ? `the actions are ${ACTIONS.join(', ')}` : `did you mean ${guess}?`}`
    ]
  }
  const extra = action === 'list' && name !== undefined ? [name, ...rest] : rest
  return [
    ...(action === 'pull' && name === undefined ? ['models pull needs a name: run models list to see them'] : []),
    ...unexpectedArguments(extra)
  ]
}

function find(catalog: readonly CatalogModel[], name: string): CatalogModel {
  const model = catalog.find(candidate => candidate.name === name)
  if (model !== undefined) return model
  const names = catalog.map(candidate => candidate.name)
  const guess = nearest(name, names)
  throw new ExitError(
    2,
    `unknown model ${JSON.stringify(name)}: ${guess === null ? `the catalogue has ${names.join(', ')}` : `did you mean ${guess}?`}`
  )
}

async function list(catalog: readonly CatalogModel[], modelsFolder: string, reporter: Reporter): Promise<void> {
  const states = await Promise.all(catalog.map(model => checkFile(modelPath(modelsFolder, model), model, 'cached', NEVER)))
  const labels = { missing: 'not downloaded', damaged: 'damaged', verified: 'downloaded' }
  const rows = catalog.map((model, index) => [
    model.name,
    megabytes(model.bytes),
    model.licence,
    labels[states[index] ?? 'missing'],
    model.description
  ])
  const table = [['NAME', 'SIZE', 'LICENCE', 'STATE', 'DESCRIPTION'], ...rows]
  for (const row of table) {
    const cells = row.map((cell, column) => cell.padEnd(Math.max(...table.map(other => other[column]?.length ?? 0))))
    reporter.line(cells.join('  ').trimEnd())
  }
}

async function verify(models: readonly CatalogModel[], isNamed: boolean, modelsFolder: string, reporter: Reporter): Promise<void> {
  const bad: string[] = []
  for (const model of models) {
    const path = modelPath(modelsFolder, model)
    const state = await checkFile(path, model, 'hash', NEVER)
    if (state === 'verified') reporter.line(`${model.name}: ok (sha256 ${model.sha256})`)
    else if (state === 'damaged') bad.push(`${model.name}: damaged, run models pull ${model.name} to download it again (${path})`)
    else if (isNamed) bad.push(`${model.name}: not downloaded, run models pull ${model.name} (${path})`)
    else reporter.line(`${model.name}: not downloaded`)
  }
  for (const { folder, graph } of await checkPrepared(graphsFolder(modelsFolder))) {
    const name = `graph ${basename(folder).slice(0, 12)}`
    if (graph.state === 'whole') reporter.line(`${name}: ok (${graph.manifest.architecture}, ${graph.manifest.quantization})`)
    else if (graph.state === 'damaged') bad.push(`${name}: damaged (${graph.fault}), the next start rebuilds it (${folder})`)
  }
  if (bad.length > 0) throw new ExitError(1, bad.join('\n'))
}
