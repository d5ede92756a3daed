// Puts a framed answer where this script stands in another site's page. It shares nothing with that page but its height.
(() => {
  const script = document.currentScript;
  const house = new URL(script.src).origin;
  const { question, theme, lang, accent, background, ink, font, title } = script.dataset;
  const address = new URL("/embed", house);
  const wanted = { q: question, theme, lang: lang || document.documentElement.lang, accent, background, ink, font, origin: location.origin };
  for (const [name, value] of Object.entries(wanted)) if (value) address.searchParams.set(name, value);
  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.title = title || question || "hubbub";
  frame.loading = "lazy";
  frame.referrerPolicy = "origin";
  frame.style.cssText = "display:block;width:100%;height:180px;border:0";
  frame.style.colorScheme = ["light", "dark"].includes(theme) ? theme : "light dark"; // else the frame is opaque
  addEventListener("message", (event) => {
    if (event.origin !== house || event.source !== frame.contentWindow) return;
    const height = event.data && event.data.hubbub === "height" ? Number(event.data.height) : NaN;
    if (height > 0) frame.style.height = `${Math.min(Math.ceil(height), 4000)}px`;
  });
  script.after(frame);
})();
