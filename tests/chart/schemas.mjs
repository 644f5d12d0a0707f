// Validates manifests with the schemas of Kubernetes and of the Prometheus operator: schemas.mjs MODELS < JSON list.
// One line a fault; exit 1 when there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const models = createRequire(process.argv[2] + "/");
let faults = 0;
for (const [name, module, kind, manifest] of JSON.parse(readFileSync(0, "utf8"))) {
  const { [kind]: Model } = models(module);
  try {
    new Model(manifest).validate();
  } catch (error) {
    console.log(`${name}: ${kind} ${manifest.metadata.name}: ${error.message}`);
    ++faults;
  }
}
process.exit(faults ? 1 : 0);
