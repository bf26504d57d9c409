import { availableParallelism } from 'node:os'
import { ServiceError } from '../../contract/errors.ts'
import { invariant } from '../../contract/invariant.ts'
import { openModelRunner } from '../../runtime/onnx-model-runner.ts'
import { openTokenizer } from '../../tokenizer/model-files/text-source.ts'
import { textSourceOf } from '../text-source-of.ts'

import { CALIBRATION_TEXT, OTHER_SCRIPTS_TEXT, QUALITY_TEXT } from './calibration-text.ts'
import { chooseExactChannels } from './exact-channels.ts'
import { logitDistance } from './logit-distance.ts'
import { measureCacheScales } from './measure-cache-scales.ts'
import { type MeasureMessage, MeasureTask } from './measure-task.ts'

/** Most tokens of a run. */
const MAX_TOKENS = 512

/** Entry of a process. Its only argument is a `MeasureTask` as JSON; it sends one `MeasureMessage` and exits. */
const task = MeasureTask.parse(JSON.parse(process.argv[2] ?? ''))
const options = { ...task.shape, threads: availableParallelism(), spinning: false }
report(
  await measure().catch(
    (error: unknown): MeasureMessage => ({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  )
)

async function measure(): Promise<MeasureMessage> {
  switch (task.kind) {
    case 'exact-channels': {
      const { kind, graphPath, reported } = task
      return { kind, channels: await chooseExactChannels({ ...options, graphPath }, await encode(CALIBRATION_TEXT), reported) }
    }
    case 'cache-scales': {
      const { kind, graphPath } = task
      const texts = [await encode(CALIBRATION_TEXT), await encode(OTHER_SCRIPTS_TEXT)]
      return { kind, scales: await measureCacheScales({ ...options, graphPath }, texts) }
    }
    case 'distance': {
      const { kind, graphPath, referencePath, shape } = task
      const tokenIds = await encode(QUALITY_TEXT)
      const reference = await logitsOf(referencePath, null, tokenIds)
      const other = await logitsOf(graphPath, task.cacheScales, tokenIds)
      return { kind, distance: logitDistance(reference, other, shape.vocabularySize) }
    }
    default:
      return task satisfies never
  }
}

/** A model without a tokenizer cannot be served, but its speed can be measured: its text is any ids. */
async function encode(text: string): Promise<readonly number[]> {
  const { vocabularySize, contextLength } = task.shape
  const tokens = Math.min(MAX_TOKENS, contextLength)
  try {
    const tokenizer = await openTokenizer(await textSourceOf(task.sourcePath, vocabularySize))
    return [...tokenizer.encode(text)].slice(0, tokens)
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    return Array.from({ length: tokens }, (_, index) => (index * 7919 + text.length) % vocabularySize)
  }
}

/** float32 [tokens, vocabularySize] */
async function logitsOf(graphPath: string, cacheScales: readonly number[] | null, tokenIds: readonly number[]): Promise<Float32Array> {
  const runner = await openModelRunner({ ...options, graphPath, cacheScales, contextLength: tokenIds.length, slots: 1, blocks: 0 })
  try {
    return (await runner.prefill(0, 0, tokenIds, [...tokenIds.keys()])).slice()
  } finally {
    runner.close()
  }
}

function report(message: MeasureMessage): void {
  invariant(process.send !== undefined, 'measure-process.ts is started with a channel for messages')
  process.send(message, undefined, undefined, () => process.disconnect())
}
