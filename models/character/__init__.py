"""The bundled puppet's character: a jester's head sculpted, rigged, painted and filmed by our own code.

    sculpt.py    signed distance fields of the head     costume.py  and of hair, cap and coat
    mesh.py      distance field -> triangles (surface nets); plain grids -> triangles
    body.py      all parts of the character as one mesh in its rest pose
    controls.py  what can move
    face.py      displacement fields of the skin        lids.py     eyelids and lashes
    rig.py       controls -> vertex positions
    paint.py     colour and gloss of every part, point by point
    light.py     shadows, ambient occlusion and shading of one picture
    camera.py    vertices -> picture
    backdrop.py  the stage behind the character
    speech.py    a text spoken by espeak-ng, with its phoneme times
    visemes.py   phoneme times -> mouth curves (dominance functions)
    compiled.py  how functions are compiled
    perform.py   the whole performance: speech, glances, blinks, nods, range of motion

`python -m models.character --out character.mp4` films it. It is a tool that makes data: nothing here runs live.
Space: the conventions of models, with the origin midway between the eyes; centimetres.
"""
