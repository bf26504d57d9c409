import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { BenchCase, BenchSamples, SideOptions } from './bench-case.ts'
import { serveSide } from './bench-child.ts'

/** Output line of `llama-batched-bench`: seconds of the prompts, and of all steps together. */
const Line = z.object({ t_pp: z.number(), t_tg: z.number() })

/** Measures with llama.cpp's own tool, one process per case. The only sample is the mean over all steps. */
async function measure(what: BenchCase, tool: string, { weightsPath, threads }: SideOptions): Promise<BenchSamples> {
  const common = ['-m', weightsPath, '-t', `${threads}`, '--output-format', 'jsonl']
  switch (what.kind) {
    case 'prefill': {
      const { t_pp } = await lineOf(tool, [...common, '-c', `${what.tokens + 1}`, '-npp', `${what.tokens}`, '-ntg', '1', '-npl', '1'])
      return { native: [t_pp * 1000], between: [] }
    }
    case 'decode': {
      const { rows, past, steps } = what
      // Shared prompt: computed once and copied, as in bench-everstream.ts.
      const shape = ['-pps', '-c', `${rows * (past + steps)}`, '-npp', `${past}`, '-ntg', `${steps}`, '-npl', `${rows}`]
      const { t_tg } = await lineOf(tool, [...common, ...shape])
      return { native: [(t_tg * 1000) / steps], between: [] }
    }
    case 'engine':
      throw new Error('only everstream can measure the whole engine')
  }
}

async function lineOf(tool: string, args: readonly string[]): Promise<z.infer<typeof Line>> {
  const { stdout } = await promisify(execFile)(tool, [...args])
  const line = stdout.split('\n').find(text => text.startsWith('{'))
  if (line === undefined) throw new Error(`${tool} ${args.join(' ')} printed no result:\n${stdout}`)
  return Line.parse(JSON.parse(line))
}

await serveSide(async options => {
  const tool = join(options.llamaBuild ?? '', 'llama-batched-bench')
  const { stdout, stderr } = await promisify(execFile)(tool, ['--version'])
  const version = /version: (.*)/.exec(stdout + stderr)?.[1] ?? 'unknown'
  return { readiness: { versions: { llamaCppBuild: version }, meansOnly: true }, measure: what => measure(what, tool, options) }
})
