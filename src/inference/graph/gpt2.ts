import type { Gpt2Config } from './gpt2-config.ts'
import { GraphBuilder } from './graph-builder.ts'
import type { GraphPlan } from './graph-plan.ts'
import { type WeightForm, WeightNodes } from './weight-nodes.ts'
import type { WeightSource } from './weight-source.ts'

const MICROSOFT = 'com.microsoft'

const ACTIVATIONS = { 'gelu-tanh': 'FastGelu', gelu: 'Gelu' } as const

/**
 * GPT-2: layer norms before each block, learned positions, biases everywhere.
 *
 * Letters, inputs and outputs are those of `buildLlama` with KV = N, and one input more:
 * - `position_ids` int64 [B,S]: each token's position in its row
 *
 * Source: Radford et al. 2019, section 2.3; transformers, models/gpt2/modeling_gpt2.py; ONNX Runtime, docs/ContribOperators.md.
 */
export function buildGpt2(config: Gpt2Config, source: Pick<WeightSource, 'info'>, form: WeightForm): GraphPlan {
  const { layers, hidden, heads, headDim, vocabulary } = config
  const graph = new GraphBuilder()
  const weights = new WeightNodes(graph, source, form)
  const epsilon = { float: config.normEpsilon }

  const ids = graph.input('input_ids', 'int64', ['B', 'S'])
  const positions = graph.input('position_ids', 'int64', ['B', 'S'])
  const lengths = graph.input('seqlens_k', 'int32', ['B'])
  const total = graph.input('total_sequence_length', 'int32', [1])
  const wanted = graph.input('logit_indices', 'int64', ['R'])

  let residual = weights.embedding('embedding', 'embedding', ids) // [B,S,E]
  let branch = weights.embedding('positions', 'positions', positions, 'float32') // what is to be added to it, [B,S,E]

  /** Layer norm of residual + branch, which becomes the residual. */
  function norm(name: string): string {
    const affine = [weights.vector(`${name}.gamma`, [name]), weights.vector(`${name}.beta`, [`${name}.bias`])]
    const sum = `${name}.residual`
    graph.nodeWithOutputs(MICROSOFT, 'SkipLayerNormalization', name, [residual, branch, ...affine], [name, '', '', sum], { epsilon })
    residual = sum
    return name
  }

  function linear(name: string, x: string): string {
    return weights.linear(name, x, [name], [`${name}.bias`])
  }

  /** The wanted rows [R,E] of x [B,S,E]. */
  function wantedRows(x: string): string {
    const flat = graph.node('', 'Reshape', `${x}.flat`, [x, graph.shape(`${x}.shape`, [-1, hidden])]) // [B×S,E]
    return graph.node('', 'Gather', `${x}.wanted`, [flat, wanted], { axis: { int: 0 } })
  }

  for (let l = 0; l < layers; l++) {
    const layer = `layers.${l}`
    const cache = ['key', 'value'].map(side => graph.input(`past_key_values.${l}.${side}`, 'float32', ['B', heads, 'M', headDim]))
    const present = ['key', 'value'].map(side => `present.${l}.${side}`)
    for (const side of present) graph.output(side, 'float32', ['B', heads, 'M', headDim])

    weights.scaleQueries(`${layer}.qkv`, hidden, config.attentionScales[l] ?? 1 / Math.sqrt(headDim))
    const qkv = linear(`${layer}.qkv`, norm(`${layer}.attention_norm`)) // [B,S,3E]
    const attention = `${layer}.attention` // [B,S,E]
    graph.nodeWithOutputs(MICROSOFT, 'GroupQueryAttention', attention, [qkv, '', '', ...cache, lengths, total], [attention, ...present], {
      num_heads: { int: heads },
      kv_num_heads: { int: heads },
      do_rotary: { int: 0 },
      scale: { float: 1 }
    })
    // Behind the last layer's cache nobody needs the other positions: from here on B×S is R.
    const isLast = l === layers - 1
    const attended = isLast ? wantedRows(attention) : attention
    if (isLast) residual = wantedRows(residual)
    branch = linear(`${layer}.attention_output`, attended) // [B,S,E]

    const up = linear(`${layer}.up`, norm(`${layer}.feed_forward_norm`)) // [B,S,F]
    const activated = graph.node(MICROSOFT, ACTIVATIONS[config.activation], `${layer}.activated`, [up]) // [B,S,F]
    branch = linear(`${layer}.down`, activated) // [B,S,E]
  }

  weights.linear('logits', norm('output_norm'), [weights.has('head') ? 'head' : 'embedding']) // [R,V]
  graph.output('logits', 'float32', ['R', vocabulary])
  return graph.finish('gpt2')
}
