import { FAULT_HELP, type FaultOptions, parseFaultOptions } from './fault-options.ts'
import { faultRun } from './fault-run.ts'
import { Fleet } from './fleet.ts'

/** `npm run test:faults`: prints its progress, and one JSON document at the end. */
const options = optionsOrExit()
console.log(
  `seed ${options.seed}: ${options.kills} faults (${options.faults.join(', ')}), ${options.queue} queue, ${options.engine} engine`
)
const fleet = await Fleet.start(options)
try {
  const report = await faultRun(fleet, options, line => console.log(line))
  for (const line of report.wrong) console.log(line)
  console.log(JSON.stringify({ tool: 'faults', date: new Date().toISOString(), ...options, ...report }))
  process.exitCode = report.passed ? 0 : 1
} finally {
  await fleet.stop()
}

function optionsOrExit(): FaultOptions {
  try {
    const parsed = parseFaultOptions(process.argv.slice(2))
    if (parsed !== null) return parsed
    console.log(FAULT_HELP)
    process.exit(0)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${FAULT_HELP}`)
    process.exit(2)
  }
}
