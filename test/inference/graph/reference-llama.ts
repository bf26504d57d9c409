import type { LlamaConfig } from '../../../src/inference/families/llama.ts'
import type { WeightSource } from '../../../src/inference/graph/weight-source.ts'

/**
 * A Llama in plain loops and double precision, written from the papers, independent of the graph under test: the
 * specification of the graph.
 *
 * @returns logits of every position: [tokens][vocabulary]
 * Source: Touvron et al. 2023 (LLaMA); Su et al. 2021 (rotary positions, halves as in the published checkpoints)
 */
export async function referenceLogits(config: LlamaConfig, source: WeightSource, ids: readonly number[]): Promise<number[][]> {
  const matrix = async (name: string): Promise<number[][]> => {
    const info = source.info(name)
    if (info === null) throw new Error(`no ${name}`)
    const values = await source.float32(name, 0, info.rows)
    return Array.from({ length: info.rows }, (_, r) => [...values.subarray(r * info.columns, (r + 1) * info.columns)])
  }
  const vector = async (name: string): Promise<number[]> => (await matrix(name)).flat()
  const linear = async (name: string, xs: number[][]): Promise<number[][]> => {
    const weights = await matrix(name)
    const bias = source.info(`${name}.bias`) === null ? [] : await vector(`${name}.bias`)
    return xs.map(x => weights.map((row, i) => dot(row, x) + (bias[i] ?? 0)))
  }

  const embedding = await matrix('embedding')
  let states = ids.map(id => embedding[id] ?? [])
  for (let l = 0; l < config.layers; l++) {
    const normed = rmsNorm(states, await vector(`layers.${l}.attention_norm`), config.rmsEpsilon)
    const [queries, keys, values] = [
      rotate(await linear(`layers.${l}.query`, normed), config),
      rotate(await linear(`layers.${l}.key`, normed), config),
      await linear(`layers.${l}.value`, normed)
    ]
    const mixed = attention(queries, keys, values, config)
    states = add(states, await linear(`layers.${l}.attention_output`, mixed))

    const inner = rmsNorm(states, await vector(`layers.${l}.feed_forward_norm`), config.rmsEpsilon)
    const [gate, up] = [await linear(`layers.${l}.gate`, inner), await linear(`layers.${l}.up`, inner)]
    const gated = gate.map((row, t) => row.map((g, i) => (g / (1 + Math.exp(-g))) * (up[t]?.[i] ?? 0)))
    states = add(states, await linear(`layers.${l}.down`, gated))
  }
  const last = rmsNorm(states, await vector('output_norm'), config.rmsEpsilon)
  return linear(source.info('head') === null ? 'embedding' : 'head', last)
}

function attention(queries: number[][], keys: number[][], values: number[][], { heads, kvHeads, headDim }: LlamaConfig): number[][] {
  return queries.map((query, t) =>
    Array.from({ length: heads }, (_, head) => {
      const kv = Math.floor(head / (heads / kvHeads)) * headDim
      const part = query.slice(head * headDim, (head + 1) * headDim)
      const scores = keys.slice(0, t + 1).map(key => Math.exp(dot(part, key.slice(kv, kv + headDim)) / Math.sqrt(headDim)))
      const total = scores.reduce((sum, score) => sum + score, 0)
      return part.map((_, i) => scores.reduce((sum, score, s) => sum + (score / total) * (values[s]?.[kv + i] ?? 0), 0))
    }).flat()
  )
}

function rotate(rows: number[][], { headDim, rotary }: LlamaConfig): number[][] {
  const half = rotary.dims / 2
  return rows.map((row, position) =>
    row.map((value, i) => {
      const inHead = i % headDim
      if (inHead >= rotary.dims) return value
      const pair = inHead % half
      const angle = position / rotary.theta ** ((2 * pair) / rotary.dims) / rotary.positionDivisor / (rotary.frequencyDivisors?.[pair] ?? 1)
      const other = inHead < half ? -(row[i + half] ?? 0) : (row[i - half] ?? 0)
      return value * Math.cos(angle) + other * Math.sin(angle)
    })
  )
}

function rmsNorm(rows: number[][], gamma: number[], epsilon: number): number[][] {
  return rows.map(row => {
    const scale = 1 / Math.sqrt(dot(row, row) / row.length + epsilon)
    return row.map((value, i) => value * scale * (gamma[i] ?? 0))
  })
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0)
}

function add(a: number[][], b: number[][]): number[][] {
  return a.map((row, t) => row.map((value, i) => value + (b[t]?.[i] ?? 0)))
}
