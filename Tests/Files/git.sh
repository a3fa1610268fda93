# A life of a repository: commits, packing, branches and merges, clones, checks. `sh git.sh FILES`, with how many it
# begins.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b GIT_PAGER=cat
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
# One thread, so that the same deltas are found each time.
git config --global pack.threads 1
git init -q -b main repository && cd repository
for i in $(seq "$1"); do
  mkdir -p d$((i % 5)) && seq "$i" 300 >d$((i % 5))/f"$i"
done
git add . && git commit -qm one
for i in 3 5 9; do echo more >>d$((i % 5))/f"$i"; done
git mv d1/f1 d2/moved && git rm -q d0/f10 && ln -s d2 link && git add -A && git commit -qm two
git log --stat --oneline && git status --short
git gc -q && git fsck --full --strict 2>&1
git count-objects -v | grep -v size
git checkout -q -b side HEAD~1 && echo x >new && git add new && git commit -qm three
git merge -q main -m merge && git log --oneline --graph
git clone -q . ../clone && cd ../clone
git log --oneline | wc -l
git fsck --full
git diff HEAD~1 | sha256sum
git worktree add -q ../tree HEAD~1 && git -C ../tree status --short && git worktree list | sed 's/  */ /'
git bundle create -q ../all.bundle --all && git clone -q ../all.bundle ../second && git -C ../second rev-parse HEAD
git repack -adfq && git verify-pack .git/objects/pack/*.idx && git archive HEAD | sha256sum
cd .. && rm -rf second tree all.bundle clone/.git repository/.git && ls -A
