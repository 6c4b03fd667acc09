/// The page at `/`: fetches `/status` every two seconds and shows whatever it holds.
internal enum StatusPage {
    /// Self-contained. Everything from the status enters the page as text, never as markup.
    static let html = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>regionsync</title>
        <style>
        :root { color-scheme: light dark; --line: #8884; --soft: #888; }
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
        h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem }
        #note { color: var(--soft) } #note.bad { color: #c33; font-weight: 600 }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
        th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
                 border-bottom: 1px solid var(--line) }
        th { font-weight: 500; color: var(--soft) } td.number { text-align: right } th.number { text-align: right }
        .facts th { width: 16rem } .health { font-weight: 600 }
        .working { color: #2a8a3e } .waiting { color: #2b6cb0 } .degraded { color: #b7791f } .stopped { color: #c33 }
        </style>
        <h1 id="title">regionsync</h1>
        <div id="note">asking …</div>
        <main id="main"></main>
        <p><a href="/metrics">metrics</a> · <a href="/status">status as JSON</a> · <a href="/readyz">readiness</a></p>
        <script>
        "use strict";
        const isObject = value => value !== null && typeof value === "object" && !Array.isArray(value);
        const words = key => key.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replaceAll(".", " ").toLowerCase();
        const element = (name, text, ...classes) => {
          const made = document.createElement(name);
          if (text !== undefined) made.textContent = text;
          made.classList.add(...classes.filter(Boolean));
          return made;
        };
        const show = value => value === null || value === undefined ? "—"
          : typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 3 })
          : typeof value === "boolean" ? (value ? "yes" : "no")
          : typeof value === "string" ? value : JSON.stringify(value);
        const health = (key, value) => /(^|\\.)health$/.test(key)
          && ["working", "waiting", "degraded", "stopped"].includes(value) ? ["health", value] : [];
        function flatten(object, prefix = "", flat = {}) {
          for (const [key, value] of Object.entries(object))
            if (isObject(value)) flatten(value, prefix + key + ".", flat); else flat[prefix + key] = value;
          return flat;
        }
        function table(list) {
          const rows = list.map(item => isObject(item) ? flatten(item) : { value: item });
          const columns = [...new Set(rows.flatMap(Object.keys))];
          const numeric = key => rows.some(row => typeof row[key] === "number") ? "number" : "";
          const made = element("table"), head = made.createTHead().insertRow(), body = made.createTBody();
          for (const key of columns) head.append(element("th", words(key), numeric(key)));
          for (const row of rows) {
            const line = body.insertRow();
            for (const key of columns)
              line.append(element("td", show(row[key]), numeric(key), ...health(key, row[key])));
          }
          return made;
        }
        function facts(entries) {
          const made = element("table", undefined, "facts"), body = made.createTBody();
          for (const [key, value] of entries) {
            const line = body.insertRow();
            line.append(element("th", words(key)), element("td", show(value), ...health(key, value)));
          }
          return made;
        }
        const isTable = value => Array.isArray(value) && value.some(isObject);
        function render(status) {
          const parts = [], entries = Object.entries(status);
          const plain = entries.filter(([, value]) => !isObject(value) && !isTable(value));
          if (plain.length) parts.push(facts(plain));
          for (const [key, value] of entries) {
            if (isTable(value)) parts.push(element("h2", words(key)), table(value));
            if (!isObject(value)) continue;
            const inner = Object.entries(value);
            const flat = Object.entries(flatten(Object.fromEntries(inner.filter(([, part]) => !isTable(part)))));
            parts.push(element("h2", words(key)));
            if (flat.length) parts.push(facts(flat));
            for (const [name, part] of inner) if (isTable(part)) parts.push(element("h2", words(name)), table(part));
          }
          document.getElementById("main").replaceChildren(...parts);
          if (typeof status.region === "string") {
            document.title = status.region + " · regionsync";
            document.getElementById("title").textContent = "regionsync " + status.region;
          }
        }
        async function poll() {
          const note = document.getElementById("note");
          try {
            const answer = await fetch("/status", { cache: "no-store", signal: AbortSignal.timeout(5000) });
            if (!answer.ok) throw new Error("status " + answer.status);
            render(await answer.json());
            note.textContent = "as of " + new Date().toLocaleTimeString();
            note.className = "";
          } catch (error) {
            note.textContent = "no answer: " + error.message + "; what stands below is old";
            note.className = "bad";
          }
          setTimeout(poll, 2000);
        }
        poll();
        </script>
        </html>
        """
}
