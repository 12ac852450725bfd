"""What the fuzzed agents do and read in the page of the console, as JavaScript."""

BOX = """() => {
  const form = document.querySelector('form.composer');
  if (!form) return null;
  const mode = form.querySelector('input[name=mode]:checked');
  return {
    conversation: form.action.match(/conversations\\/(\\d+)/)[1],
    mode: mode ? mode.value : '',
    words: form.querySelector('textarea').value,
  };
}"""
TOGGLE = """(wanted) => document.querySelector(`form.composer input[name=mode][value=${wanted}]`)?.click()"""
SEND = """() => [...document.querySelectorAll('form.composer button')].find((one) => one.matches('.send'))?.click()"""
SHOWN = """() => document.querySelector('form.composer')?.action.match(/conversations\\/(\\d+)/)[1]"""
PRESS = """(name) => [...document.querySelectorAll('button')]
  .find((one) => one.textContent.trim() === name && !one.disabled && one.checkVisibility())?.click()"""
ON_ITS_WAY = """() => document.querySelector(
  ['sending', 'waiting', 'sent', 'signed-out'].map((state) => `.outgoing[data-state=${state}]`).join()) !== null"""
TAKE_OVER = """() => {
  const form = document.querySelector('form.act-take-over');
  if (!form) return;
  form.querySelector('textarea').value = 'mine again';
  form.requestSubmit();
}"""
ALL = """() => [document.body, ...document.querySelectorAll('textarea')]
  .map((one) => one.value ?? one.innerText).join(' ')"""
ROW = """(number) => document.querySelector(`a.row[href*="/conversations/${number}?"]`)?.click() ?? false"""
HAS_ROW = """(number) => document.querySelector(`a.row[href*="/conversations/${number}?"]`) !== null"""
