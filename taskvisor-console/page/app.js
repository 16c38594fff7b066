const tree = await (await fetch("?tree")).json();
document.getElementById("tree").textContent = JSON.stringify(tree, null, 2);
