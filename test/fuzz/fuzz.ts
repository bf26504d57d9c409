import { FUZZ_HELP, type FuzzOptions, parseFuzzOptions } from './fuzz-options.ts'
import { fuzzRun } from './fuzz-run.ts'

/** `npm run test:fuzz`: options in, faults as they are found, a summary last. */
const options = optionsOrExit()
console.log(`seed ${options.seed}: ${options.seconds} s, ${options.engine} engine`)
const report = await fuzzRun(options, line => console.log(line))
console.log(JSON.stringify({ tool: 'fuzz', date: new Date().toISOString(), ...options, ...report }))
process.exitCode = report.faults.length === 0 ? 0 : 1

function optionsOrExit(): FuzzOptions {
  try {
    const parsed = parseFuzzOptions(process.argv.slice(2))
    if (parsed !== null) return parsed
    console.log(FUZZ_HELP)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${FUZZ_HELP}`)
    process.exit(2)
  }
}
