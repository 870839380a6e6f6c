import subprocess,re
def files(rev):
    return [f for f in subprocess.check_output(['git','ls-tree','-r','--name-only',rev],text=True).split('\n') if f.endswith('.go') and not f.endswith('_test.go') and not f.startswith('test/') or f.endswith('reasons.go')]
def lits(text):
    return [m.group(0)[1:-1] for m in re.finditer(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`',text)]
def prod(rev):
    s=set()
    out=subprocess.check_output(['git','archive',rev,'api','controllers','hydrate','internal','cmd','hack'])
    import tarfile,io
    t=tarfile.open(fileobj=io.BytesIO(out))
    for m in t:
        if m.name.endswith('.go') and not m.name.endswith('_test.go'):
            s|=sh_all(t.extractfile(m).read().decode())
    return s
W=3
def words(l): return re.findall(r"[A-Za-z']+|%\w|[:;,]",l)
def shingles(l):
    w=words(l.replace('\\"','"'))
    return {tuple(w[i:i+W]) for i in range(len(w)-W+1)}
def sh_all(text):
    r=set()
    for l in lits(text): r|=shingles(l)
    for m in re.finditer(r'message="([^"]*)"',text): r|=shingles(m.group(1))
    return r
old=prod('f349719'); new=prod('HEAD')
gone=old-new
for f in subprocess.check_output(['git','ls-files','*_test.go','test'],text=True).split('\n'):
    if not f.endswith('.go'): continue
    for i,line in enumerate(open(f),1):
        if line.strip().startswith('//'): continue
        for l in lits(line):
            if l.startswith(' ') and False: pass
            g=[x for x in shingles(l) if x in gone and x not in new]
            if g and len(l)<400: print(f'{f}:{i}: {l[:110]}   <<{" ".join(g[0])}>>')
