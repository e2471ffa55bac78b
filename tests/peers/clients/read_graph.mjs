// Reads a graph from stdin with the program that its format is of, and prints what it made of it as JSON.
// node read_graph.mjs mermaid|dot
import { readFileSync } from "node:fs";

const text = readFileSync(0, "utf8");
if (process.argv[2] === "dot") {
  const { Graphviz } = await import("@hpcc-js/wasm-graphviz");
  const graphviz = await Graphviz.load();
  console.log(JSON.stringify({ svg: graphviz.dot(text), drawn: JSON.parse(graphviz.layout(text, "json")) }));
} else {
  // Mermaid cleans labels with DOMPurify, which needs a document.
  const { JSDOM } = await import("jsdom");
  const { window } = new JSDOM("");
  Object.assign(globalThis, { window, document: window.document });
  const mermaid = (await import("mermaid")).default;
  mermaid.initialize({ startOnLoad: false, maxEdges: 500, maxTextSize: 50000 });
  await mermaid.parse(text);
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const { nodes, edges } = db.getData();
  const shown = ({ id, label, isGroup, cssClasses }) => ({ id, label, isGroup, cssClasses });
  console.log(JSON.stringify({ nodes: nodes.map(shown), edges: edges.map(({ start, end, label }) => ({ start, end, label })) }));
}
