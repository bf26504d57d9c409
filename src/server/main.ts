/**
 * Entry point: `node src/server/main.ts <command>`. Everything else is imported after the check of Node's version, as
 * older versions cannot load it.
 */
const OLDEST_NODE = 24

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  console.error(
    `everstream: Node ${OLDEST_NODE} or newer is required, this is ${process.versions.node}: use npm start or bin/everstream.mjs`
  )
  process.exitCode = 1
} else {
  const [{ enableCompileCache }, { COMPILED_FOLDER }] = await Promise.all([import('node:module'), import('./config/environment.ts')])
  enableCompileCache(COMPILED_FOLDER)
  const { runCommand } = await import('./commands/run-command.ts')
  process.exitCode = await runCommand(process.argv.slice(2))
}

export {}
