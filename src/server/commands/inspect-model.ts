import { access } from 'node:fs/promises'
import { basename } from 'node:path'
import type { CacheType } from '../../inference/contract/cache-type.ts'
import { ServiceError } from '../../inference/contract/errors.ts'
import { describeModel, type Known, type ModelDescription } from '../../inference/model/describe-model.ts'
import type { QuantizationChoice } from '../../inference/model/prepared-model.ts'
import { textSourceOf } from '../../inference/model/text-source-of.ts'
import { openTokenizer } from '../../inference/tokenizer/model-files/text-source.ts'
import { ExitError } from '../config/exit-error.ts'
import { graphsFolder } from '../config/load-config.ts'
import type { CatalogModel } from '../download/catalog.ts'
import { locateModel } from '../download/locate-model.ts'
import type { Reporter } from '../download/reporter.ts'

export interface InspectOptions {
  /** A name in the catalogue, a `.gguf` file or a folder. */
  readonly model: string
  readonly modelsFolder: string
  readonly quantization: QuantizationChoice
  readonly cacheType: CacheType
}

type Row = readonly [fact: string, value: string, source: string]

/**
 * Prints the properties of a model, each with its source.
 *
 * @throws {ExitError | ModelFileError} the model is missing or corrupt
 */
export async function inspectModel({ model, modelsFolder, quantization, cacheType }: InspectOptions, reporter: Reporter): Promise<void> {
  const { name, path, listed } = await locateModel(model, modelsFolder, model)
  if (listed !== null && !(await exists(path))) throw new ExitError(1, `${name}: not downloaded, run models pull ${name} (${path})`)
  const description = await describeModel({ path, quantization, cacheType, cacheFolder: graphsFolder(modelsFolder) })
  reporter.line(`${name}: ${path}`)
  reporter.line('')
  const rows = [...factRows(description), ...fileRows(description, listed)]
  const [factWidth, valueWidth] = [0, 1].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  for (const [fact, value, source] of rows)
    reporter.line(`  ${fact.padEnd(factWidth ?? 0)}  ${value.padEnd(valueWidth ?? 0)}  ${source}`.trimEnd())
  for (const warning of await warnings(description)) reporter.line(`  WARNING: ${warning}`)
}

function factRows(model: ModelDescription): Row[] {
  const types = model.weightTypes.value.map(({ type, share }) => `${type} ${percent(share)}`).join(', ')
  const served = {
    int8: 'int8, in blocks',
    native: '4 bits where the file has 4, otherwise int8',
    none: 'float32',
    w8a8: 'int8 per output channel, activations int8 per row'
  }
  return [
    ['family', model.family.value, model.family.source],
    ['parameters', count(model.parameters.value), model.parameters.source],
    ['weights in the file', types, model.weightTypes.source],
    ['weights as served', served[model.served], '--quantization'],
    row('context', model.contextLength, ' tokens'),
    row('layers', model.layers),
    ...(model.heads === null ? [] : [row('heads', model.heads)]),
    row('key/value heads', model.kvHeads),
    row('head size', model.headDim),
    row('vocabulary', model.vocabularySize, ' tokens'),
    row('cache per token', model.cacheBytesPerToken, ' bytes'),
    ['tokenizer', model.tokenizer.value, model.tokenizer.source],
    ['chat template', model.chatTemplate.value ? 'yes' : 'no', model.chatTemplate.source]
  ]
}

function row(fact: string, { value, source }: Known<number>, unit = ''): Row {
  return [fact, `${count(value)}${unit}`, source]
}

function fileRows({ files }: ModelDescription, listed: CatalogModel | null): Row[] {
  const state = (sha256: string) =>
    sha256 === listed?.sha256 ? 'matches the catalogue' : 'does NOT match the catalogue: run models verify'
  return files.flatMap(({ path, bytes, sha256 }): Row[] => [
    ['file', basename(path), `${count(bytes)} bytes`],
    ['sha256', sha256, listed === null ? '' : state(sha256)]
  ])
}

/** The warnings of a start; the error if the tokenizer cannot be read. */
async function warnings({ files, vocabularySize }: ModelDescription): Promise<readonly string[]> {
  const [weights] = files
  if (weights === undefined) return []
  try {
    return (await openTokenizer(await textSourceOf(weights.path, vocabularySize.value))).warnings
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    return [`this model cannot be served: ${error.message}`]
  }
}

function percent(share: number): string {
  return share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}
