// Shows the values under the pointer. Without this script browsers show the same text as a title.
(() => {
  const tip = document.getElementById('tip');
  let on = null;
  const hide = () => { if (on) on.classList.remove('on'); on = null; tip.hidden = true; };
  for (const title of document.querySelectorAll('.hit > title')) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  const show = event => {
    const hit = event.target.closest ? event.target.closest('.hit') : null;
    if (!hit) { hide(); return; }
    if (on !== hit) { hide(); on = hit; hit.classList.add('on'); tip.textContent = hit.dataset.tip; tip.hidden = false; }
    const box = tip.getBoundingClientRect();
    const x = event.clientX + 14 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 14;
    const y = Math.min(Math.max(8, event.clientY - box.height / 2), innerHeight - box.height - 8);
    tip.style.left = Math.max(4, x) + 'px';
    tip.style.top = y + 'px';
  };
  document.addEventListener('pointermove', show);
  document.addEventListener('pointerdown', show);
  document.addEventListener('scroll', hide, { passive: true });
})();
