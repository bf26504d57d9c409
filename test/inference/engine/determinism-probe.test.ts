import { expect, it } from 'vitest'
import { probeDeterminism } from '../../../src/inference/engine/determinism-probe.ts'
import { FakeRunner } from './fake-runner.ts'

/** A machine on which a single row is in another numeric class. */
class LoneRowRunner extends FakeRunner {
  override async decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array> {
    const logits = await super.decode(tokenIds, pasts)
    return tokenIds.length === 1 ? logits.map(value => value + 1e-6) : logits
  }
}

/** A machine on which a second chunk is in another numeric class. */
class CutRunner extends FakeRunner {
  override async prefill(row: number, past: number, tokenIds: readonly number[], logitIndices: readonly number[]): Promise<Float32Array> {
    const logits = await super.prefill(row, past, tokenIds, logitIndices)
    return past > 0 ? logits.map(value => value + 1e-6) : logits
  }
}

it('recognizes a machine with all numeric properties', async () => {
  expect(await probeDeterminism(new FakeRunner())).toEqual({ loneRowDiffers: false, cutsDiffer: false })
})

it('recognizes a machine on which a single row differs from a row in a batch', async () => {
  expect(await probeDeterminism(new LoneRowRunner())).toEqual({ loneRowDiffers: true, cutsDiffer: false })
})

it('recognizes a machine on which the division into chunks changes logits', async () => {
  expect(await probeDeterminism(new CutRunner())).toEqual({ loneRowDiffers: false, cutsDiffer: true })
})
