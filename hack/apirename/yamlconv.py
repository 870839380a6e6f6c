import re,sys,subprocess
files=subprocess.check_output(['git','ls-files'],text=True).split('\n')
files=[f for f in files if re.search(r'\.(yaml|yml|md|go|sh|tpl|txt)$',f) and not f.startswith(('docs/api/','config/crd/','charts/appmarket/crds/','docs/adr/')) and 'zz_gen' not in f and f!='CHANGELOG.md']
MEMBER={'Install':'install','Upgrade':'upgrade','Clone':'clone','Adopt':'adopt','Configure':'configure'}
CONF=['version','values','valuesFrom','envs','inputs','title','entrances','credentialRef','purchaseRequestRef','credentialSecretRef','purchaseRequestSecretRef','dataPolicy','allowDowngrade']
REN={'envs':'inputs','credentialRef':'credentialSecretRef','purchaseRequestRef':'purchaseRequestSecretRef','app':'appRef','deadline':'startDeadline'}
changed=[]
def blocks(lines,i,ind):
    # yields (start,end,key) of entries at indent ind from line i
    out=[];pend=None;j=i
    while j<len(lines):
        l=lines[j]
        if l.strip()=='' : 
            # blank ends only if next nonblank is at lower indent
            k=j
            while k<len(lines) and lines[k].strip()=='' : k+=1
            if k>=len(lines) or len(lines[k])-len(lines[k].lstrip())<ind: break
            j=k;continue
        cur=len(l)-len(l.lstrip())
        if cur<ind: break
        if l.strip().startswith('#') and cur==ind:
            if pend is None: pend=j
            j+=1;continue
        m=re.match(r'\s*([A-Za-z]+):',l)
        if cur==ind and m:
            s=pend if pend is not None else j
            pend=None
            e=j+1
            while e<len(lines) and lines[e].strip()!='' and (len(lines[e])-len(lines[e].lstrip())>ind or (lines[e].lstrip().startswith('- ') and len(lines[e])-len(lines[e].lstrip())==ind)): e+=1
            out.append((s,e,m.group(1)))
            j=e;continue
        break
    return out
def convert(lines,f):
    i=0
    while i<len(lines):
        m=re.match(r'(\s*)kind: (AppInstallTask|MarketSource|AppInstance)\s*$',lines[i])
        if not m: i+=1;continue
        base=len(m.group(1));kind=m.group(2)
        j=i+1
        while j<len(lines) and not re.match(r'^\s{%d}spec:\s*$'%base,lines[j]) :
            if lines[j].strip() in('---','```') or (lines[j].strip() and len(lines[j])-len(lines[j].lstrip())<base): j=None;break
            j+=1
        if j is None or j>=len(lines): i+=1;continue
        bl=blocks(lines,j+1,base+2)
        if not bl: i=j+1;continue
        end=bl[-1][1]
        ents=[(lines[s:e],k) for s,e,k in bl]
        ind=' '*(base+2)
        def ren(b,k):
            if k in REN and (kind!='MarketSource' or k=='envs') and not(kind=='AppInstance' and k in('app','deadline')):
                b=[re.sub(r'^(\s*)%s:'%k,r'\1%s:'%REN[k],x,count=1) if x.startswith(ind+k+':') else x for x in b]
                k=REN[k]
            return b,k
        new=[]
        if kind=='AppInstallTask':
            action=None
            for b,k in ents:
                if k=='action': action=re.search(r'action: (\w+)',[x for x in b if 'action:' in x][0]).group(1)
            mem=[];rest=[]
            frm=[];un=[]
            for b,k in ents:
                b,k=ren(b,k)
                if k in CONF and action in MEMBER: mem.append(['  '+x for x in b])
                elif k in('cloneOf','cloneNamespace'): frm.append(['    '+re.sub(r'cloneOf:','name:',re.sub('cloneNamespace:','namespace:',x)) for x in b])
                elif k=='revision' and action=='Rollback': rest.append([ind+'rollback:']+['  '+x for x in b])
                elif k=='targetTask': rest.append([ind+'cancelTask:']+['  '+x.replace('targetTask:','name:') for x in b])
                elif k=='all': un+= [x for x in ['  '+y for y in b if y.strip().startswith('#')]]+[ind+'  dependents: Uninstall',ind+'  sharedCharts: RemoveIfUnused']
                elif k=='dataPolicy' and action=='Uninstall': un+=['  '+x for x in b]
                else: rest.append(b)
            for b in rest: new+=b
            if un: new+=[ind+'uninstall:']+un
            if frm or mem:
                new.append(ind+MEMBER[action]+':')
                if frm: new.append(ind+'  from:'); 
                for b in frm: new+=b
                for b in mem: new+=b
        elif kind=='MarketSource':
            filt=[];helm=[];idx=None
            for b,k in ents:
                b,k=ren(b,k)
                if k in('include','exclude'): filt.append(['  '+x for x in b])
                elif k=='versions': filt.append([re.sub('keep:','maxVersions:',x) for x in b if not re.match(r'\s*versions:\s*$',x)] if not re.search(r'versions: \{',''.join(b)) else ['  '+re.sub(r'versions: \{keep: (\d+)\}',r'maxVersions: \1',x) for x in b])
                elif k in('secretRef','certSecretRef'): helm+=['  '+x for x in b]
                elif k=='sharing': new+= [re.sub(r'sharing:','allowedNamespaces:',x) for x in b]
                elif k=='readiness': new+=[re.sub(r'readiness:','readyWhen:',x) for x in b]
                else:
                    if k=='helm': idx=len(new)+len(b)
                    new+=b
            if helm:
                h=[q for q in range(len(new)) if new[q].startswith(ind+'helm:')]
                if h and re.search(r'helm: \{url: (\S+?)\}',new[h[0]]):
                    u=re.search(r'helm: \{url: (\S+?)\}',new[h[0]]).group(1)
                    new[h[0]:h[0]+1]=[ind+'helm:',ind+'  url: '+u]+helm
                else: new[idx:idx]=helm
            if filt:
                new.append(ind+'filter:')
                for b in filt:new+=b
        else:
            for b,k in ents:
                b,k=ren(b,k)
                t=[]
                for x in b:
                    if x.startswith(ind+'revision:'): x=x.replace('revision:','pinnedRevision:',1)
                    if x.startswith(ind+'history:'): x=x.replace('history:','revisionHistoryLimit:',1)
                    x=re.sub(r'desiredState: Absent','desiredState: Uninstalled',x)
                    x=re.sub(r'^(\s*)adopt: true',r'\1adoptionPolicy: Adopt',x)
                    t.append(x)
                new+=t
        lines[j+1:end]=new
        i=j+1+len(new)
    return lines
for f in files:
    try: s=open(f).read()
    except Exception: continue
    if not re.search(r'kind: (AppInstallTask|MarketSource|AppInstance)\s*$',s,re.M): continue
    n='\n'.join(convert(s.split('\n'),f))
    if n!=s:
        open(f,'w').write(n);changed.append(f)
print(len(changed),'\n'.join(changed))
