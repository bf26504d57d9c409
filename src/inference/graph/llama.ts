import { GraphBuilder } from './graph-builder.ts'
import type { GraphPlan } from './graph-plan.ts'
import type { LlamaConfig } from './llama-config.ts'
import { rotaryTable } from './rotary-table.ts'
import { type WeightForm, WeightNodes } from './weight-nodes.ts'
import type { WeightSource } from './weight-source.ts'

const MICROSOFT = 'com.microsoft'

/**
 * The Llama family: RMS norms, rotary positions, grouped queries, gated feed-forward.
 *
 * Letters: B rows, S new tokens of each, R wanted logits, V vocabulary, E hidden, N heads, KV key/value heads, H head size,
 * F feed-forward, M positions that the cache holds.
 *
 * Inputs
 * - `input_ids` int64 [B,S]
 * - `seqlens_k` int32 [B]: positions of the row after this run, minus 1
 * - `total_sequence_length` int32 [1]: the largest number of positions after this run. S = total means "first prompt": the cache is not read
 * - `logit_indices` int64 [R]: indexes into the B × S positions, row-major
 * - `past_key_values.{l}.key` and `.value` float32 [B,KV,M,H]: bind `present` to the same memory
 *
 * Outputs
 * - `logits` float32 [R,V]
 * - `present.{l}.key` and `.value` float32 [B,KV,M,H]
 *
 * With S > 1 and a past, B must be 1. No run may have B = 0.
 *
 * Source: Touvron et al. 2023 (LLaMA) section 2.2; ONNX Runtime, docs/ContribOperators.md.
 */
export function buildLlama(config: LlamaConfig, source: Pick<WeightSource, 'info'>, form: WeightForm): GraphPlan {
  const { layers, hidden, heads, kvHeads, headDim, vocabulary } = config
  const graph = new GraphBuilder()
  const weights = new WeightNodes(graph, source, form)
  const epsilon = { float: config.rmsEpsilon }

  const ids = graph.input('input_ids', 'int64', ['B', 'S'])
  const lengths = graph.input('seqlens_k', 'int32', ['B'])
  const total = graph.input('total_sequence_length', 'int32', [1])
  const wanted = graph.input('logit_indices', 'int64', ['R'])
  const rotary = addRotary(graph, config)

  let residual = weights.embedding('embedding', 'embedding', ids) // [B,S,E]
  let branch: string | null = null // what the last block adds to it, [B,S,E]

  /** RMS norm of residual + branch, which becomes the residual. */
  function norm(name: string): string {
    const gamma = weights.vector(`${name}.gamma`, [name])
    if (branch === null) return graph.node('', 'SimplifiedLayerNormalization', name, [residual, gamma], { axis: { int: -1 }, epsilon })
    const sum = `${name}.residual`
    graph.nodeWithOutputs(MICROSOFT, 'SkipSimplifiedLayerNormalization', name, [residual, branch, gamma], [name, '', '', sum], { epsilon })
    residual = sum
    return name
  }

  /** The wanted rows [R,width] of x [B,S,width]. */
  function wantedRows(x: string, width: number): string {
    const flat = graph.node('', 'Reshape', `${x}.flat`, [x, graph.shape(`${x}.shape`, [-1, width])]) // [B×S,width]
    return graph.node('', 'Gather', `${x}.wanted`, [flat, wanted], { axis: { int: 0 } })
  }

  for (let l = 0; l < layers; l++) {
    const layer = `layers.${l}`
    const isLast = l === layers - 1
    const projections = ['query', 'key', 'value'].map(part => `${layer}.${part}`)
    const biases = projections.map(part => `${part}.bias`).filter(bias => weights.has(bias))
    weights.scaleQueries(`${layer}.query`, heads * headDim, 1 / Math.sqrt(headDim))

    const cache = ['key', 'value'].map(side => graph.input(`past_key_values.${l}.${side}`, 'float32', ['B', kvHeads, 'M', headDim]))
    const present = ['key', 'value'].map(side => `present.${l}.${side}`)
    for (const side of present) graph.output(side, 'float32', ['B', kvHeads, 'M', headDim])

    const attentionIn = norm(`${layer}.attention_norm`) // [B,S,E]
    const qkv = weights.linear(`${layer}.qkv`, attentionIn, projections, biases) // [B,S,(N+2KV)H]
    const attention = `${layer}.attention` // [B,S,NH]
    graph.nodeWithOutputs(
      MICROSOFT,
      'GroupQueryAttention',
      attention,
      [qkv, '', '', ...cache, lengths, total, ...rotary],
      [attention, ...present],
      {
        num_heads: { int: heads },
        kv_num_heads: { int: kvHeads },
        do_rotary: { int: 1 },
        rotary_interleaved: { int: 0 },
        scale: { float: 1 }
      }
    )
    // Behind the last layer's cache nobody needs the other positions: from here on B×S is R.
    const attended = isLast ? wantedRows(attention, heads * headDim) : attention
    if (isLast) residual = wantedRows(residual, hidden)
    branch = weights.linear(`${layer}.attention_output`, attended, [`${layer}.attention_output`]) // [B,S,E]

    const feedForwardIn = norm(`${layer}.feed_forward_norm`) // [B,S,E]
    const gate = weights.linear(`${layer}.gate`, feedForwardIn, [`${layer}.gate`]) // [B,S,F]
    const up = weights.linear(`${layer}.up`, feedForwardIn, [`${layer}.up`]) // [B,S,F]
    // QuickGelu is x × sigmoid(alpha × x): with alpha 1 it is SiLU.
    const silu = graph.node(MICROSOFT, 'QuickGelu', `${layer}.silu`, [gate], { alpha: { float: 1 } }) // [B,S,F]
    const gated = graph.node('', 'Mul', `${layer}.gated`, [silu, up]) // [B,S,F]
    branch = weights.linear(`${layer}.down`, gated, [`${layer}.down`]) // [B,S,E]
  }

  weights.linear('logits', norm('output_norm'), [weights.has('head') ? 'head' : 'embedding']) // [R,V]
  graph.output('logits', 'float32', ['R', vocabulary])
  return graph.finish('llama')
}

function addRotary(graph: GraphBuilder, { rotary, context }: LlamaConfig): readonly string[] {
  const table = rotaryTable(rotary, context)
  return (['cos', 'sin'] as const).map(name => {
    const values = table[name]
    const offset = graph.weight(`rotary.${name}`, 'float32', [context, rotary.dims / 2])
    graph.fill({ kind: 'bytes', offset, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) })
    return `rotary.${name}`
  })
}
