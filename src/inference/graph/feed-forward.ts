import type { DecoderGraph } from './decoder-graph.ts'

const MICROSOFT = 'com.microsoft'

/** `gelu-tanh` is the approximation with tanh, `gelu` the exact function. */
export type Activation = 'gelu-tanh' | 'gelu'

const ACTIVATIONS = { 'gelu-tanh': 'FastGelu', gelu: 'Gelu' } as const satisfies Record<Activation, string>

/** down(activation(up(x))) of a layer, x [...,E]: [...,E] */
export function feedForward(graph: DecoderGraph, layer: string, x: string, activation: Activation): string {
  const up = graph.linear(`${layer}.up`, x) // [...,F]
  const activated = graph.nodes.node(MICROSOFT, ACTIVATIONS[activation], `${layer}.activated`, [up]) // [...,F]
  return graph.linear(`${layer}.down`, activated)
}

/** down(silu(gate(x)) × up(x)) of a layer, x [...,E]: [...,E] */
export function gatedFeedForward(graph: DecoderGraph, layer: string, x: string): string {
  const gate = graph.linear(`${layer}.gate`, x) // [...,F]
  const up = graph.linear(`${layer}.up`, x) // [...,F]
  // QuickGelu is x × sigmoid(alpha × x): with alpha 1 it is SiLU.
  const silu = graph.nodes.node(MICROSOFT, 'QuickGelu', `${layer}.silu`, [gate], { alpha: { float: 1 } }) // [...,F]
  const gated = graph.nodes.node('', 'Mul', `${layer}.gated`, [silu, up]) // [...,F]
  return graph.linear(`${layer}.down`, gated)
}
