"""pilot_run.py OUT dataset preset model regime seed steps lr"""
import sys,json,time,os
os.environ["TF_CPP_MIN_LOG_LEVEL"]="3"; os.environ["TF_ENABLE_ONEDNN_OPTS"]="1"
out,dataset,preset,model,regime,seed,steps,lr=sys.argv[1:9]
from medattn.study import Trial
from medattn.study.execute.train import fit_trial
from medattn.study.execute.trial_runner import limit_threads
limit_threads(1)
t=Trial(model,dataset,float(regime),int(seed),int(steps),32,float(lr),64,reader=(("preset",preset),))
t0=time.process_time()
plain,parts,hist=fit_trial(t)
sec=time.process_time()-t0
from medattn.study.analyse.metrics import probabilities
from medattn.study.analyse.scores import auroc
te=parts['test'].arrays()
a=auroc(te.labels==1, probabilities(plain,te.images)[:,1])
row=dict(dataset=dataset,preset=preset,model=model,regime=float(regime),seed=int(seed),steps=int(steps),lr=float(lr),cpu=round(sec,1),auroc=round(float(a),4),curve=[(x['step'],round(x.get('val_auroc',0),3),round(x['loss'],3)) for x in hist])
open(out,'a').write(json.dumps(row)+'\n')
