"""A puppet from one photo: the photo's own skin moved by the mesh, with teeth that are nobody's."""
